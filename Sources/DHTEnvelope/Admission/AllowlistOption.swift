/// An option that follows the name on a member's line: `addr=HOST:PORT` or `write=yes|no`.
package enum AllowlistOption: Hashable, Sendable {
    /// Why fe80::1, and fe80::1%eth0, is no address for a node.
    package static let noLinkLocal =
        "a link-local address works on one link of one machine only, and nodes tell their addresses to "
        + "others. Use another address of the interface: ip address"

    case address(String)
    case write(Bool)

    struct Malformed: Error {
        let message: String
    }

    /// fe80::/10, in brackets, with a zone or without.
    private static func isLinkLocal(_ text: ArraySlice<UInt8>) -> Bool {
        let text = text.prefix(5).map { $0 | 0x20 }
        return text.count == 5 && text.starts(with: "{fe".utf8) && "89ab".utf8.contains(text[3])
            && isHexadecimal(text[4])
    }

    private static let names = ["addr", "write"]

    init(_ word: ArraySlice<UInt8>) throws(Malformed) {
        guard let equals = word.firstIndex(of: UInt8(ascii: "=")) else {
            throw Malformed(message: "after the name come only options: addr=HOST:PORT, write=no")
        }
        let value = word[(equals + 1)...]
        switch String(decoding: word[..<equals], as: UTF8.self) {
        case "addr": self = .address(try Self.address(value))
        case "write":
            switch String(decoding: value, as: UTF8.self) {
            case "yes": self = .write(true)
            case "no": self = .write(false)
            default: throw Malformed(message: "write= takes yes or no")
            }
        case let name: throw Malformed(message: "unknown option\(Self.shown(name)); nothing was changed")
        }
    }

    /// The address that somebody gives a member, as it is written.
    static func address(_ value: ArraySlice<UInt8>) throws(Malformed) -> String {
        guard !isLinkLocal(value) else { throw Malformed(message: "addr=: " + noLinkLocal) }
        guard isAddress(value) else {
            throw Malformed(
                message: "addr= takes HOST:PORT, an IPv6 address in brackets, a port of 1 to 65535"
            )
        }
        return String(decoding: value, as: UTF8.self)
    }

    /// The name, if it can be shown, and what may have been meant.
    private static func shown(_ name: String) -> String {
        guard isName(Array(name.utf8)[...]) else { return " (there are addr and write)" }
        let meant = names.first { $0.first == name.lowercased().first }
        return " \"\(name)\" " + (meant.map { "(did you mean \"\($0)\"?)" } ?? "(there are addr and write)")
    }

    static let nameRule = "a name has 1 to 32 characters, of A-Z a-z 0-9 . _ -"

    /// 1…32 of `A–Z a–z 0–9 . _ -`.
    static func isName(_ characters: ArraySlice<UInt8>) -> Bool {
        (1...32).contains(characters.count)
            && characters.allSatisfy { isLetterOrDigit($0) || ".-_".utf8.contains($0) }
    }

    // MARK: Addresses

    /// Whether this has the shape of an address. Whether a name resolves shows when it is needed.
    static func isAddress(_ text: ArraySlice<UInt8>) -> Bool {
        guard let colon = text.lastIndex(of: UInt8(ascii: ":")), isPort(text[(colon + 1)...]) else {
            return false
        }
        let host = text[..<colon]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") {
            return isIPv6(host.dropFirst().dropLast())
        }
        guard (1...253).contains(host.count) else { return false }
        if host.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }) { return isIPv4(host) }
        return host.allSatisfy { isLetterOrDigit($0) || ".-_".utf8.contains($0) }
    }

    private static func isPort(_ text: ArraySlice<UInt8>) -> Bool {
        guard text.allSatisfy(isDigit), let port = UInt16(String(decoding: text, as: UTF8.self)) else {
            return false
        }
        return port > 0
    }

    private static func isIPv4(_ text: ArraySlice<UInt8>) -> Bool {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4 && text.allSatisfy { isDigit($0) || $0 == UInt8(ascii: ".") }
            && parts.allSatisfy { UInt8(String(decoding: $0, as: UTF8.self)) != nil }
    }

    /// Groups of up to four hexadecimal digits: eight, or fewer around one `::`; the last two may be an IPv4
    /// address.
    private static func isIPv6(_ text: ArraySlice<UInt8>) -> Bool {
        let halves = String(decoding: text, as: UTF8.self).split(
            separator: "::",
            omittingEmptySubsequences: false
        )
        guard halves.count <= 2 else { return false }
        var count = 0
        for (index, half) in halves.enumerated() where !half.isEmpty {
            var groups = half.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            if index == halves.count - 1, let last = groups.last, last.contains(UInt8(ascii: ".")) {
                guard isIPv4(Array(last)[...]) else { return false }
                groups.removeLast()
                count += 2
            }
            guard groups.allSatisfy({ (1...4).contains($0.count) && $0.allSatisfy(isHexadecimal) }) else {
                return false
            }
            count += groups.count
        }
        return halves.count == 2 ? count <= 7 : count == 8
    }

    private static func isDigit(_ character: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character)
    }

    private static func isLetterOrDigit(_ character: UInt8) -> Bool {
        isDigit(character) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character | 0x20)
    }

    private static func isHexadecimal(_ character: UInt8) -> Bool {
        isDigit(character) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(character | 0x20)
    }
}
