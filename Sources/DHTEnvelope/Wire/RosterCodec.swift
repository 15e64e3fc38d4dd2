import DHTCore

/// Marks and heads of rosters as they travel: `docs/protocol.md`, section 12.
enum RosterCodec {
    /// Serial, time, administrator, length and digest of the text, signature.
    static let headLength =
        8 + 8 + Identity.byteCount + ContentLayout.referenceLength + RosterHead.signatureLength

    static func append(_ mark: RosterMark, to bytes: inout [UInt8]) {
        bytes.appendBigEndian(mark.serial)
        bytes.appendBigEndian(mark.stamp)
    }

    /// A mark of serial 0 has the stamp 0: it says that there is no roster.
    static func readMark(_ reader: inout ByteReader) throws(Malformed) -> RosterMark {
        let mark = RosterMark(serial: try reader.integer(), stamp: try reader.integer())
        guard mark.serial > 0 || mark == .none else { throw Malformed() }
        return mark
    }

    static func append(_ head: RosterHead, to bytes: inout [UInt8]) {
        bytes.appendBigEndian(head.serial)
        bytes.appendBigEndian(head.time)
        head.administrator.append(to: &bytes)
        bytes.append(contentsOf: head.text.encoded)
        bytes.append(contentsOf: head.signature)
    }

    static func readHead(_ reader: inout ByteReader) throws(Malformed) -> RosterHead {
        let serial = try reader.integer(UInt64.self)
        let time = try reader.integer(UInt64.self)
        let administrator = try reader.identity()
        let length = try reader.integer(UInt32.self)
        guard serial > 0, let digest = Digest(try reader.take(ContentLayout.digestLength)),
            let text = ContentReference(rosterLength: length, digest: digest)
        else { throw Malformed() }
        return RosterHead(
            serial: serial,
            time: time,
            administrator: administrator,
            text: text,
            signature: Array(try reader.take(RosterHead.signatureLength))
        )
    }
}
