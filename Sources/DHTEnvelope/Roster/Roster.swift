import DHTCore
import DHTCrypto

/// A list of members that an administrator signed: whoever holds it can tell that it is genuine, so it may
/// come from anybody. `docs/protocol.md`, section 12.
///
/// Its text is in the grammar of an ``Allowlist``, with a line `@admin` for each of those who may sign the
/// next one.
public struct Roster: Sendable {
    package let head: RosterHead
    /// The bytes that are signed, but for the head.
    package let text: [UInt8]
    /// The digests of the text's pieces.
    package let outline: [UInt8]
    /// The text, read.
    public let list: Allowlist

    /// Grows with every roster of an overlay, from 1.
    public var serial: UInt64 { head.serial }
    /// When it was signed, in Unix seconds, by the clock of who signed it.
    public var signedAt: UInt64 { head.time }
    /// The signer.
    public var administrator: Identity { head.administrator }
    package var mark: RosterMark { head.mark }

    /// Signs a text. The error says what is wrong with the text; `file` names it there.
    package static func sign(
        _ text: [UInt8],
        serial: UInt64,
        time: UInt64,
        with key: borrowing SigningKey,
        network: NetworkID,
        file: String
    ) throws(AllowlistError) -> Roster {
        guard serial > 0 else { throw AllowlistError(Self.place(file, 1), "serials begin with 1") }
        let (reference, outline) = try Self.reference(to: text, file: file)
        var head = RosterHead(
            serial: serial,
            time: time,
            administrator: key.identity,
            text: reference,
            signature: []
        )
        head = RosterHead(
            serial: serial,
            time: time,
            administrator: key.identity,
            text: reference,
            signature: key.sign(head.signedInput(network))
        )
        return try Roster(head, text, outline: outline, file: file)
    }

    /// The roster of a head that was looked at, and the text that belongs to it.
    package init(_ head: RosterHead, _ text: [UInt8], file: String) throws(AllowlistError) {
        let (reference, outline) = try Self.reference(to: text, file: file)
        guard reference == head.text else {
            throw AllowlistError(Self.place(file, 1), "the text is not the one that was signed")
        }
        try self.init(head, text, outline: outline, file: file)
    }

    /// The roster of a head that refers to this text, whose outline this is.
    init(
        _ head: RosterHead,
        _ text: [UInt8],
        outline: [UInt8],
        file: String
    ) throws(AllowlistError) {
        (self.head, self.text, self.outline) = (head, text, outline)
        var parser = AllowlistParser(file: file, linesBefore: 1)
        try parser.parse(text)
        list = try Allowlist(parser)
        guard !list.administrators.isEmpty else {
            throw AllowlistError(
                Self.place(file, 1),
                "a roster names who may sign the next one, and this names nobody: @admin IDENTITY NAME"
            )
        }
        let expelled = Set(list.revoked.map(\.identity))
        for administrator in list.administrators where expelled.contains(administrator.identity) {
            throw AllowlistError(
                Self.place(file, 1),
                "\(administrator.name) is an administrator, and revoked: take out one of the lines"
            )
        }
    }

    /// The serial of the roster after one of this serial; `nil`: there is none.
    public static func serial(after serial: UInt64) -> UInt64? {
        let (next, isOver) = serial.addingReportingOverflow(1)
        return isOver ? nil : next
    }

    static func place(_ file: String, _ line: Int, _ column: Int = 1) -> Allowlist.Place {
        Allowlist.Place(file: file, line: line, column: column)
    }

    static func reference(
        to text: [UInt8],
        file: String
    ) throws(AllowlistError) -> (ContentReference, outline: [UInt8]) {
        guard ContentLayout.rosterLengths.contains(text.count) else {
            throw AllowlistError(
                place(file, 1),
                text.isEmpty
                    ? "the list is empty"
                    : "the list is larger than \(Allowlist.largestFile >> 20) MiB"
            )
        }
        let outline = Content.outline(of: text)
        let length = UInt32(text.count)
        let digest = ContentReference.digest(length: length, outline: outline)
        guard let reference = ContentReference(rosterLength: length, digest: digest) else {
            preconditionFailure("a roster's text may have \(length) bytes")
        }
        return (reference, outline)
    }

    /// A part of the text as others fetch it; `nil` if there is none such.
    package func part(_ part: ContentPart) -> [UInt8]? {
        switch part {
        case .outline: return outline
        case .piece(let index):
            guard let length = head.text.length(of: part) else { return nil }
            let start = index * ContentLayout.pieceLength
            return Array(text[start..<start + length])
        }
    }
}

extension RosterHead {
    private static let context = Array("dht1 roster".utf8) + [0]

    /// The bytes that the administrator signs.
    func signedInput(_ network: NetworkID) -> [UInt8] {
        var input = Self.context + network.bytes
        input.appendBigEndian(serial)
        input.appendBigEndian(time)
        administrator.append(to: &input)
        return input + text.encoded
    }

    /// Whether the administrator that it names signed it, for this network.
    package func isGenuine(in network: NetworkID) -> Bool {
        administrator.verifies(signature, of: signedInput(network))
    }
}
