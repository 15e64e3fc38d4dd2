/// Tells of a roster in as few bytes as a PING has room for: `docs/protocol.md`, section 12.
package struct RosterMark: Hashable, Sendable {
    /// On the wire: serial u64, stamp u32.
    package static let length = 12
    /// The mark of who holds no roster.
    package static let none = RosterMark(serial: 0, stamp: 0)

    /// Grows with every roster, from 1; 0: there is none.
    package let serial: UInt64
    /// The first four bytes of the text's digest: two rosters of one serial are told apart by it.
    package let stamp: UInt32

    package init(serial: UInt64, stamp: UInt32) { (self.serial, self.stamp) = (serial, stamp) }
}

/// All of a roster but its text: what it is, and who says so. Whether that is true, the signature tells.
package struct RosterHead: Hashable, Sendable {
    /// Bytes of a signature.
    package static let signatureLength = 64

    /// From 1.
    package let serial: UInt64
    /// When it was signed, in Unix seconds, by the clock of who signed it: for people.
    package let time: UInt64
    package let administrator: Identity
    /// The text's length and digest, as a long value's.
    package let text: ContentReference
    package let signature: [UInt8]

    package init(
        serial: UInt64,
        time: UInt64,
        administrator: Identity,
        text: ContentReference,
        signature: [UInt8]
    ) {
        (self.serial, self.time, self.administrator) = (serial, time, administrator)
        (self.text, self.signature) = (text, signature)
    }

    package var mark: RosterMark { RosterMark(serial: serial, stamp: text.digest.prefix) }
}
