import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

private struct ContentVectors: Decodable {
    struct Made: Decodable, Sendable, CustomTestStringConvertible {
        let length: Int
        let pieces: Int
        let outlineDigest: Hex
        let lastPieceDigest: Hex
        let reference: Hex

        var testDescription: String { "\(length) bytes" }
    }

    let contents: [Made]

    static let all: ContentVectors = VectorFile.read("contents")
}

@Suite struct ContentVectorTests {
    /// The numbers from 0 on, four bytes each.
    private func content(_ length: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for number in 0..<UInt32((length + 3) / 4) { bytes.appendBigEndian(number) }
        return Array(bytes.prefix(length))
    }

    @Test(arguments: ContentVectors.all.contents)
    fileprivate func `content is named as another implementation names it`(vector: ContentVectors.Made) throws
    {
        let bytes = content(vector.length)
        let content = try #require(Content(bytes))
        #expect(content.reference.encoded == vector.reference.bytes)
        #expect(ContentReference(encoded: vector.reference.bytes[...]) == content.reference)
        #expect(content.reference.pieceCount == vector.pieces)
        #expect(blake2b(content.outline, count: 32) == vector.outlineDigest.bytes)
        let digests = try #require(content.reference.digests(in: content.outline))
        #expect(digests.last?.bytes == vector.lastPieceDigest.bytes)
        let pieces = (0..<vector.pieces).compactMap { content.piece($0) }
        #expect(pieces.flatMap(\.self) == bytes)
        #expect(zip(pieces, digests).allSatisfy { $1.isDigest(of: $0) })
    }

    @Test func `what fits a record, and what is too long, is no content`() {
        #expect(Content([UInt8](repeating: 1, count: 640)) == nil)
        #expect(Content([UInt8](repeating: 1, count: 16_777_217)) == nil)
    }

    @Test func `an outline with any byte changed, or of another length, is refused`() throws {
        let content = try #require(Content(content(200_000)))
        #expect(content.reference.digests(in: content.outline)?.count == 4)
        for index in content.outline.indices {
            var changed = content.outline
            changed[index] ^= 1
            #expect(content.reference.digests(in: changed) == nil)
        }
        #expect(content.reference.digests(in: content.outline + [0]) == nil)
        #expect(content.reference.digests(in: content.outline.dropLast(32)) == nil)
        let shorter = try #require(ContentReference(length: 199_999, digest: content.reference.digest))
        #expect(shorter.digests(in: content.outline) == nil)
    }

    @Test func `the chunks of a part cover it once`() throws {
        for length in [641, 1000, 1001, 64_000, 64_001, 191_999, 16_777_216] {
            let reference = try #require(
                ContentReference(length: UInt32(length), digest: Digest(blake2bOf: []))
            )
            let parts = [ContentPart.outline] + (0..<reference.pieceCount).map { .piece($0) }
            for part in parts {
                let count = reference.chunkCount(of: part)
                #expect((1...64).contains(count))
                var next = 0
                for chunk in 0..<count {
                    let range = try #require(reference.range(of: chunk, in: part))
                    #expect(range.lowerBound == next)
                    #expect((1...ContentLayout.chunkLength).contains(range.count))
                    next = range.upperBound
                }
                #expect(next == reference.length(of: part))
                #expect(reference.range(of: count, in: part) == nil)
            }
            #expect(reference.length(of: .piece(reference.pieceCount)) == nil)
        }
    }
}
