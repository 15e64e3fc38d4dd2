/// The revisions that a condition names: the headers `If-Match` and `If-None-Match` (RFC 9110, section 13).
enum EntityTags: Hashable {
    struct Tag: Hashable {
        var isWeak: Bool
        var text: String

        /// The revision it stands for, unless it can be none's.
        var revision: UInt64? {
            guard !isWeak, let revision = UInt64(text), String(revision) == text else { return nil }
            return revision
        }
    }

    case any
    case these([Tag])

    /// As the answer has it.
    static func text(of revision: UInt64) -> String { "\"\(revision)\"" }

    /// `nil`: it is no list of quoted texts.
    init?(_ header: some StringProtocol) {
        var rest = Array(header.utf8)[...]
        func skipBlanks() { rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") } }
        skipBlanks()
        if rest.first == UInt8(ascii: "*") {
            rest.removeFirst()
            skipBlanks()
            guard rest.isEmpty else { return nil }
            self = .any
            return
        }
        var tags: [Tag] = []
        while true {
            let isWeak = rest.starts(with: Array("W/".utf8))
            if isWeak { rest = rest.dropFirst(2) }
            guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
            let text = rest.prefix { $0 != UInt8(ascii: "\"") }
            rest = rest.dropFirst(text.count)
            guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
            tags.append(Tag(isWeak: isWeak, text: String(decoding: text, as: UTF8.self)))
            skipBlanks()
            guard let comma = rest.popFirst() else { break }
            guard comma == UInt8(ascii: ",") else { return nil }
            skipBlanks()
        }
        self = .these(tags)
    }

    /// Whether the revision is among them. `weakly`: as weak tags too, which is enough for not sending it.
    func name(_ revision: UInt64, weakly: Bool) -> Bool {
        switch self {
        case .any: true
        case .these(let tags): tags.contains { $0.text == String(revision) && (weakly || !$0.isWeak) }
        }
    }
}
