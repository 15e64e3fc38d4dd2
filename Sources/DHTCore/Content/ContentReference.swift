/// The length and the digest of a value too long for a record, as the record states them.
///
/// The value itself travels in chunks, apart from the record. `docs/protocol.md`, section 9.
package struct ContentReference: Hashable, Sendable {
    /// Bytes: 641…16,777,216.
    package let length: UInt32
    /// Names the content: `length` and the digest of every piece go into it.
    package let digest: Digest

    /// `nil` if no record refers to content of that length.
    package init?(length: UInt32, digest: Digest) {
        guard ContentLayout.lengths.contains(Int(length)) else { return nil }
        (self.length, self.digest) = (length, digest)
    }

    /// The text of a roster: 1…8,388,608 bytes, so perhaps fewer than other content has. `nil` if it is
    /// shorter or longer.
    package init?(rosterLength length: UInt32, digest: Digest) {
        guard ContentLayout.rosterLengths.contains(Int(length)) else { return nil }
        (self.length, self.digest) = (length, digest)
    }

    // MARK: Parts

    /// Pieces; all but the last have ``ContentLayout/pieceLength`` bytes.
    package var pieceCount: Int { (Int(length) - 1) / ContentLayout.pieceLength + 1 }

    /// Bytes of a part; `nil` if there is no such part.
    package func length(of part: ContentPart) -> Int? {
        switch part {
        case .outline: return pieceCount * ContentLayout.digestLength
        case .piece(let index):
            guard (0..<pieceCount).contains(index) else { return nil }
            return min(Int(length) - index * ContentLayout.pieceLength, ContentLayout.pieceLength)
        }
    }

    /// Where a chunk lies in its part; `nil` if there is no such chunk.
    package func range(of chunk: Int, in part: ContentPart) -> Range<Int>? {
        guard let length = length(of: part) else { return nil }
        let start = chunk * ContentLayout.chunkLength
        guard chunk >= 0, start < length else { return nil }
        return start..<min(start + ContentLayout.chunkLength, length)
    }

    /// Chunks of a part, 64 at most.
    package func chunkCount(of part: ContentPart) -> Int {
        ((length(of: part) ?? 0) + ContentLayout.chunkLength - 1) / ContentLayout.chunkLength
    }
}

/// A part of content: a piece, or the list of all pieces' digests, by which each is checked.
package enum ContentPart: Hashable, Sendable {
    /// The digests of all pieces, in their order.
    case outline
    case piece(Int)
}

/// Limits of content that does not fit into a record: `docs/protocol.md`, section 9.
package enum ContentLayout {
    /// Bytes a datagram carries.
    package static let chunkLength = 1000
    /// Bytes that are checked, and stored, together: 64 chunks.
    package static let pieceLength = 64_000
    package static let digestLength = 32
    /// Bytes of content. A shorter value is in the record itself.
    package static let lengths = 641...16_777_216
    /// Bytes of a roster's text.
    package static let rosterLengths = 1...8_388_608
    /// Of a record's value that refers to content: length u32, digest.
    package static let referenceLength = 4 + digestLength
    package static let maximumPieceCount = (lengths.upperBound - 1) / pieceLength + 1
}

extension ContentReference {
    /// Reads a record's value; `nil` if that is no reference.
    package init?(encoded value: ArraySlice<UInt8>) {
        guard value.count == ContentLayout.referenceLength, let digest = Digest(value.dropFirst(4)) else {
            return nil
        }
        self.init(length: value.bigEndian(), digest: digest)
    }

    /// The value of a record that refers to this content.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(length)
        return bytes + digest.bytes
    }
}
