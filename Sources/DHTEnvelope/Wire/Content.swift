import DHTCore
import DHTCrypto

/// A value too long for a record, as it travels and is stored: pieces, and the outline that says what they
/// must be. `docs/protocol.md`, section 9.
package struct Content: Sendable {
    package let bytes: any ContentBytes
    package let outline: [UInt8]
    package let reference: ContentReference

    /// Computes the digests of all pieces: about 1 ms a MiB. `nil` unless there are 641…16,777,216 bytes, or
    /// if the content is wanted no more, or cannot be read.
    package init?(_ bytes: any ContentBytes, isWanted: () -> Bool = { true }) {
        guard ContentLayout.lengths.contains(bytes.count) else { return nil }
        guard let outline = Self.outline(of: bytes, while: isWanted) else { return nil }
        let length = UInt32(bytes.count)
        let digest = ContentReference.digest(length: length, outline: outline)
        guard let reference = ContentReference(length: length, digest: digest) else { return nil }
        (self.bytes, self.outline, self.reference) = (bytes, outline, reference)
    }

    /// The digests of all pieces; `nil` if they are wanted no more.
    private static func outline(of bytes: any ContentBytes, while isWanted: () -> Bool) -> [UInt8]? {
        var outline: [UInt8] = []
        let count = bytes.count
        for start in stride(from: 0, to: count, by: ContentLayout.pieceLength) {
            let range = start..<min(start + ContentLayout.pieceLength, count)
            guard isWanted(), let piece = bytes.bytes(in: range) else { return nil }
            outline += blake2b(piece, count: ContentLayout.digestLength)
        }
        return outline
    }

    /// The digests of all pieces of bytes that travel like content.
    static func outline(of bytes: [UInt8]) -> [UInt8] { outline(of: bytes) { true } ?? [] }

    /// May block its thread. `nil`: the piece cannot be read.
    package func piece(_ index: Int) -> [UInt8]? {
        let start = index * ContentLayout.pieceLength
        return bytes.bytes(in: start..<min(start + ContentLayout.pieceLength, Int(reference.length)))
    }
}

extension ContentReference {
    private static let context = Array("dht1 content".utf8)

    package static func digest(length: UInt32, outline: [UInt8]) -> Digest {
        var input = context
        input.appendBigEndian(length)
        return Digest(blake2bOf: input + outline)
    }

    /// The digests of the pieces, if this is the outline of that content.
    package func digests(in outline: [UInt8]) -> [Digest]? {
        guard outline.count == length(of: .outline),
            Self.digest(length: length, outline: outline) == digest
        else { return nil }
        return stride(from: 0, to: outline.count, by: ContentLayout.digestLength).compactMap {
            Digest(outline[$0..<$0 + ContentLayout.digestLength])
        }
    }
}

extension Digest {
    /// Whether these bytes are the piece it was made of.
    package func isDigest(of piece: [UInt8]) -> Bool { Digest(blake2bOf: piece) == self }
}
