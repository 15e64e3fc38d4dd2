import DHTCore
import DHTCrypto

/// The bytes that the sender of a datagram signs: `docs/protocol.md`, section 3.
///
/// They hold all of a datagram but its signature, its tags and its masks, so it is made of them when it is
/// sealed, and they of it when it is opened.
struct SignedInput: Sendable {
    private static let context = Array("dht1 envelope".utf8) + [0]
    private static let digest = 62..<94
    private static let nonce = 94..<118
    private static let header = 118..<198
    private static let bodyStart = header.upperBound

    /// The digest that a request answers: there is none.
    static let noDigest: Digest = {
        guard let zeros = Digest(repeatElement(0, count: ContentLayout.digestLength)) else {
            preconditionFailure("a digest has 32 bytes")
        }
        return zeros
    }()

    private(set) var bytes: [UInt8] = []

    /// All that stands before the body, and room for that. `nonce` appends its 24 bytes.
    init(
        _ header: Header,
        network: NetworkID,
        to recipient: Identity,
        answering digest: Digest,
        bodyLength: Int,
        nonce: (inout [UInt8]) -> Void
    ) {
        bytes.reserveCapacity(Self.bodyStart + bodyLength)
        bytes.append(contentsOf: Self.context)
        bytes.append(contentsOf: network.bytes)
        recipient.append(to: &bytes)
        digest.append(to: &bytes)
        nonce(&bytes)
        header.append(to: &bytes)
        assert(bytes.count == Self.bodyStart, "the fields before the body have a fixed length")
    }

    /// Appends the body, or a part of it.
    mutating func appendBody(_ append: (inout [UInt8]) -> Void) { append(&bytes) }

    /// Says which transmission is answered, in the place of what was said before.
    mutating func answer(_ digest: Digest) {
        for (index, byte) in zip(Self.digest, digest.bytes) { bytes[index] = byte }
    }

    var nonce: ArraySlice<UInt8> { bytes[Self.nonce] }
    var header: ArraySlice<UInt8> { bytes[Self.header] }
    var body: ArraySlice<UInt8> { bytes[Self.bodyStart...] }
    /// Names this transmission in the signed input of its answer.
    var digest: Digest { Digest(blake2bOf: bytes) }
}
