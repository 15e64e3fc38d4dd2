import DHTCore

/// Lengths and offsets of the datagram: `docs/protocol.md`, section 3.
package enum Datagram {
    /// The only lengths there are, in bytes, ascending.
    package static let lengths = [256, 512, 768, 1024, 1232]
    package static let maximumLength = 1232
    package static let minimumLength = 256

    package static let nonceLength = 24
    static let nonce = 0..<24
    static let sealedHeader = 24..<120
    static let boxOffset = 120
    static let tagLength = 16
    package static let signatureLength = 64

    /// Bytes of the box around a body of so many, its tag among them.
    static func sealedLength(ofBody count: Int) -> Int { tagLength + signatureLength + count }

    /// Bytes that are not payload: nonce, two tags, header, signature, body fields.
    package static let overhead = 220
    package static let maximumPayload = maximumLength - overhead

    /// The smallest length that carries `payload` bytes; `nil` if none does.
    package static func length(forPayload payload: Int) -> Int? {
        lengths.first { $0 >= payload + overhead }
    }
}

/// Why a datagram was dropped without an answer. Each is a counter, `rejected.<reason>` in `dht status`.
/// The order is the order of checks: `docs/protocol.md`, section 4.
package enum DropReason: Int, CaseIterable, Error, Sendable {
    case length
    case header
    case version
    case kind
    case `self`
    case admission
    case replay
    case unsolicited
    case key
    case lane
    case box
    case malformed
    case mismatch
    case budget
    case signature
    /// There is no room to remember one more peer (open mode only), or one more request that waits for the
    /// store.
    case capacity
    case record

    /// As people and programs read it.
    package var name: String { "\(self)" }
}
