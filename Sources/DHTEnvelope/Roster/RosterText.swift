import DHTCore
import DHTCrypto

/// Changes of a roster's text, line by line: what nobody changes stays as somebody wrote it, comments and
/// all.
package struct RosterText: Sendable {
    package private(set) var bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The text of an overlay's first roster.
    package init(members: [Allowlist.Member], administrators: [Allowlist.Administrator]) {
        let head = """
            # The members: IDENTITY  NAME  [addr=HOST:PORT] [write=no]. Changed by dht admit and dht revoke.

            """
        bytes = Array(head.utf8)
        for administrator in administrators { name(administrator) }
        for member in members { admit(member) }
    }

    /// One line more for an administrator.
    package mutating func name(_ administrator: Allowlist.Administrator) {
        append("@admin \(administrator.identity.text)  \(administrator.name)")
    }

    /// One line more for readers.
    package mutating func remark(_ text: String) { append("# \(text)") }

    /// One line more for a member.
    package mutating func admit(_ member: Allowlist.Member) {
        let addresses = member.addresses.map { "  addr=\($0)" }.joined()
        append(
            "\(member.identity.text)  \(member.name)\(addresses)\(member.mayWrite ? "" : "  write=no")"
        )
    }

    /// In the place of all lines that say something of the identity, one that revokes it.
    package mutating func revoke(_ identity: Identity, name: String) {
        strikeOut(identity)
        append("@revoked \(identity.text)  \(name)")
    }

    /// Without the lines that say something of the identity.
    package mutating func strikeOut(_ identity: Identity) {
        let (lower, upper) = (identity.text, identity.text.uppercased())
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let kept = lines.filter { line in
            let words = line.prefix { $0 != UInt8(ascii: "#") }
                .split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
                .map { String(decoding: $0, as: UTF8.self) }
            let subject = words.first?.hasPrefix("@") == true ? words.dropFirst().first : words.first
            return subject != lower && subject != upper
        }
        bytes = Array(kept.joined(separator: [UInt8(ascii: "\n")]))
    }

    private mutating func append(_ line: String) {
        if let last = bytes.last, last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        bytes += Array("\(line)\n".utf8)
    }
}
