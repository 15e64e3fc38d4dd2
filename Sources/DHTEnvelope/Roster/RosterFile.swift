import DHTCore
import DHTCrypto

// A roster as a file: one line with the head, then the text as it was signed.
//
//     @roster serial=8 time=1790942400 network=<32 hex> by=dht1… signature=<128 hex>

extension Roster {
    /// Whether a file begins as a signed roster does, and not as a plain list.
    package static func isRoster(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: Array("\(AllowlistParser.rosterMark) ".utf8))
    }

    /// The bytes of its file.
    package func file(of network: NetworkID) -> [UInt8] { Array(head.line(in: network).utf8) + text }

    /// Reads a roster's file, whose signature must be good and for this network. `file` names it in errors.
    package init(parsing bytes: [UInt8], of network: NetworkID, file: String) throws(AllowlistError) {
        // One line more than the text may have.
        let end = bytes.prefix(Self.longestHead).firstIndex(of: UInt8(ascii: "\n"))
        guard Self.isRoster(bytes), let end else {
            throw AllowlistError(
                Self.place(file, 1),
                "this is no signed roster: its first line begins with \(AllowlistParser.rosterMark). "
                    + "Sign a list: dht roster sign FILE"
            )
        }
        var line = HeadLine(file: file)
        try line.parse(bytes[..<end])
        let text = Array(bytes[(end + 1)...])
        let (serial, by) = (try line.number("serial"), try line.administrator())
        guard line.fields["network"]?.value == hexadecimal(network.bytes) else {
            throw line.error("network", "the roster is of another network")
        }
        let time = try line.number("time")
        let (reference, outline) = try Self.reference(to: text, file: file)
        let signed = RosterHead(
            serial: serial,
            time: time,
            administrator: by,
            text: reference,
            signature: try line.signature()
        )
        guard serial > 0 else { throw line.error("serial", "serials begin with 1") }
        guard signed.isGenuine(in: network) else {
            throw line.error("signature", "the signature is not good: the roster was changed since")
        }
        try self.init(signed, text, outline: outline, file: file)
    }

    /// Bytes of the first line, at most.
    private static let longestHead = 512
}

extension RosterHead {
    /// The first line of a roster's file.
    package func line(in network: NetworkID) -> String {
        "\(AllowlistParser.rosterMark) serial=\(serial) time=\(time) "
            + "network=\(hexadecimal(network.bytes)) by=\(administrator.text) "
            + "signature=\(hexadecimal(signature))\n"
    }
}

/// The words of a roster's first line.
private struct HeadLine {
    let file: String
    private(set) var fields: [String: (value: String, column: Int)] = [:]
    private static let names = ["serial", "time", "network", "by", "signature"]

    init(file: String) { self.file = file }

    mutating func parse(_ line: ArraySlice<UInt8>) throws(AllowlistError) {
        var words = line.split(separator: UInt8(ascii: " "))[...]
        _ = words.popFirst()
        for word in words {
            let column = word.startIndex + 1
            let parts = String(decoding: word, as: UTF8.self)
                .split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, Self.names.contains(String(parts[0])), fields[String(parts[0])] == nil
            else {
                throw AllowlistError(
                    Roster.place(file, 1, column),
                    "a roster's first line says \(Self.names.joined(separator: "=, "))=, each once"
                )
            }
            fields[String(parts[0])] = (String(parts[1]), column)
        }
        for name in Self.names where fields[name] == nil {
            throw AllowlistError(Roster.place(file, 1), "a roster's first line says \(name)=")
        }
    }

    func error(_ name: String, _ message: String) -> AllowlistError {
        AllowlistError(Roster.place(file, 1, fields[name]?.column ?? 1), message)
    }

    func number(_ name: String) throws(AllowlistError) -> UInt64 {
        guard let text = fields[name]?.value, text.allSatisfy(\.isNumber), let number = UInt64(text),
            "\(number)" == text
        else { throw error(name, "\(name)= takes a number") }
        return number
    }

    func administrator() throws(AllowlistError) -> Identity {
        do { return try Identity(text: fields["by"]?.value ?? "") } catch {
            throw self.error("by", error.description)
        }
    }

    func signature() throws(AllowlistError) -> [UInt8] {
        let (text, count) = (fields["signature"]?.value ?? "", RosterHead.signatureLength)
        // Written in one way only, as all of the head is.
        guard let signature = bytes(hexadecimal: text), signature.count == count,
            hexadecimal(signature) == text
        else { throw error("signature", "signature= takes \(2 * count) hexadecimal digits") }
        return signature
    }
}
