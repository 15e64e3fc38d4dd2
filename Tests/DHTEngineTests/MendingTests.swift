import DHTCore
import DHTEnvelope
import DHTStorage
import Testing

@testable import DHTEngine
@testable import DHTSimulator

/// A disk that changed a long value without a word.
struct MendingTests {
    private let value = ContentTests.bytes(300_000)

    /// All have the value; where it is, and what it must be.
    private func started(_ count: Int = 6) throws -> (Overlay, ContentReference, outline: [UInt8]) {
        let overlay = Overlay(count)
        overlay.startAll()
        let (record, _) = try #require(overlay.putLong("long", value, lifetime: 600_000, at: 0))
        let content = try #require(Content(value))
        #expect(record.reference == content.reference)
        // It was looked at once.
        overlay.run(for: .seconds(30))
        return (overlay, content.reference, content.outline)
    }

    private func damage(_ pieces: [Int], of reference: ContentReference, at host: Host) throws {
        for index in pieces {
            var bytes = try #require(host.store.part(.piece(index), of: reference.digest)).bytes
            bytes[index * 7] ^= 4
            try host.store.apply([.putPiece(bytes, index: index, of: reference.digest)])
        }
    }

    /// Whether every part on the disk is what it must be.
    private func isWhole(_ reference: ContentReference, at host: Host) -> Bool {
        guard let outline = host.store.part(.outline, of: reference.digest)?.bytes,
            let digests = reference.digests(in: outline)
        else { return false }
        return digests.indices.allSatisfy { index in
            let piece = host.store.part(.piece(index), of: reference.digest)
            return piece.map { digests[index].isDigest(of: $0.bytes) } ?? false
        }
    }

    private func counts(at host: Host) -> [UInt64] {
        [host.engine.counters.losses, host.engine.counters.mended]
    }

    // MARK: Reads

    @Test func `a disk that cannot be read for a while has lost nothing`() throws {
        let (overlay, reference, _) = try started(1)
        let outcome = try #require(overlay.look("long", at: 0))
        let record = try #require(outcome.found.first).record
        overlay[0].node.disk.failure = 1
        let name = overlay.submit(.fetch(record, from: []), at: 0)
        guard case .fetched(nil)? = overlay.finish(name, at: 0) else {
            Issue.record("it was read from somewhere")
            return
        }
        overlay[0].node.disk.failure = 0
        #expect(isWhole(reference, at: overlay[0]))
        #expect(overlay.getLong("long", at: 0) == value)
        #expect(counts(at: overlay[0]) == [0, 0])
    }

    @Test func `a reader here gets the value, and all that is damaged is written back`() throws {
        let (overlay, reference, _) = try started()
        try damage([1, 3, 4], of: reference, at: overlay[2])
        #expect(!isWhole(reference, at: overlay[2]))
        #expect(overlay.getLong("long", at: 2) == value)
        overlay.run(for: .seconds(5))
        #expect(isWhole(reference, at: overlay[2]))
        #expect(counts(at: overlay[2]) == [3, 3])
        #expect(overlay[2].engine.transfers.mending.count == 0)
        #expect(overlay.getLong("long", at: 2) == value)
    }

    @Test func `a reader elsewhere is given nothing that is damaged, and it is written back`() throws {
        let (overlay, reference, _) = try started(10)
        let holders = overlay.holders(of: "long")
        let reader = try #require((0..<10).first { !holders.contains($0) })
        let damaged = holders.dropFirst()
        for index in damaged { try damage([0, 1, 2, 3, 4], of: reference, at: overlay[index]) }
        #expect(overlay.getLong("long", at: reader) == value)
        overlay.run(for: .seconds(30))
        let liars = overlay.hosts.reduce(0) { $0 + $1.engine.counters.brokenParts }
        #expect(liars == 0, "nobody is taken for a liar")
        let mended = damaged.filter { isWhole(reference, at: overlay[$0]) }
        #expect(mended.count > 1, "those that were asked")
        for index in mended { #expect(counts(at: overlay[index]) == [5, 5]) }
    }

    @Test func `a piece that was damaged along with its outline is found when that is there again`() throws {
        let (overlay, reference, outline) = try started()
        try damage([2], of: reference, at: overlay[2])
        try overlay[2].store.apply([.beginContent(reference, outline: outline.reversed())])
        #expect(overlay.getLong("long", at: 2) == value)
        overlay.run(for: .seconds(10))
        #expect(isWhole(reference, at: overlay[2]))
        #expect(counts(at: overlay[2]) == [2, 2])
    }

    @Test func `a damaged outline is brought again, and the pieces stay`() throws {
        let (overlay, reference, outline) = try started()
        var wrong = outline
        wrong[40] ^= 1
        try overlay[2].store.apply([.beginContent(reference, outline: wrong)])
        #expect(overlay.getLong("long", at: 2) == value)
        let fetched = overlay[2].engine.counters.chunksFetched
        overlay.run(for: .seconds(5))
        #expect(isWhole(reference, at: overlay[2]))
        #expect(counts(at: overlay[2]) == [1, 1])
        #expect(overlay[2].engine.counters.chunksFetched - fetched <= 1)
    }

    // MARK: Without a reader

    @Test func `what is not read is looked at all the same, a day later at most`() throws {
        let (overlay, reference, _) = try started()
        try damage([2], of: reference, at: overlay[2])
        overlay.run(for: .minutes(25 * 60))
        #expect(isWhole(reference, at: overlay[2]))
        #expect(counts(at: overlay[2]) == [1, 1])
    }

    @Test(arguments: [[2], [0, 1, 2, 3, 4]])
    func `a start with pieces that are not there brings them`(missing: [Int]) throws {
        let (overlay, reference, outline) = try started()
        overlay.kill(2)
        try lose(missing, of: reference, outline, at: overlay[2])
        overlay.start(2, seeds: [0])
        overlay.run(for: .seconds(20))
        #expect(isWhole(reference, at: overlay[2]))
        #expect(counts(at: overlay[2]) == [UInt64(missing.count), UInt64(missing.count)])
    }

    @Test func `a start with a record whose content is gone brings it`() throws {
        let (overlay, reference, _) = try started()
        overlay.kill(2)
        try overlay[2].store.apply([.removeContent(reference.digest)])
        overlay.start(2, seeds: [0])
        overlay.run(for: .seconds(20))
        #expect(isWhole(reference, at: overlay[2]))
        #expect(counts(at: overlay[2]) == [6, 6])
    }

    @Test func `what cannot be had is tried again when others are there`() throws {
        let (overlay, reference, outline) = try started()
        overlay.kill(2)
        try lose([1], of: reference, outline, at: overlay[2])
        overlay.groups[2] = 1
        overlay.start(2, seeds: [0])
        overlay.run(for: .minutes(10))
        #expect(!isWhole(reference, at: overlay[2]))
        overlay.groups[2] = 0
        overlay.run(for: .minutes(10))
        #expect(isWhole(reference, at: overlay[2]))
    }

    /// The disk has all parts but these.
    private func lose(_ missing: [Int], of reference: ContentReference, _ outline: [UInt8], at host: Host)
        throws
    {
        let pieces = (0..<reference.pieceCount).map {
            host.store.part(.piece($0), of: reference.digest)?.bytes
        }
        try host.store.apply([.removeContent(reference.digest), .beginContent(reference, outline: outline)])
        for (index, piece) in pieces.enumerated() where !missing.contains(index) {
            try host.store.apply([.putPiece(try #require(piece), index: index, of: reference.digest)])
        }
    }

    @Test func `what a wrong bit made of a digest goes, as it is content of nothing`() throws {
        let (overlay, reference, outline) = try started()
        overlay.kill(2)
        let digest = try #require(Digest([UInt8](repeating: 7, count: 32)[...]))
        let wrong = try #require(ContentReference(length: reference.length, digest: digest))
        try overlay[2].store.apply([
            .beginContent(wrong, outline: outline), .putPiece([1], index: 0, of: digest),
        ])
        overlay.start(2, seeds: [0])
        overlay.run(for: .seconds(30))
        #expect(overlay[2].store.contents().map(\.reference) == [reference])
        #expect(counts(at: overlay[2]) == [0, 0])
    }

    @Test func `content that no record refers to is not brought again`() throws {
        let (overlay, reference, _) = try started()
        overlay.kill(2)
        try damage([1], of: reference, at: overlay[2])
        overlay.start(2, seeds: [0])
        overlay.delete("long", at: 0)
        overlay.run(for: .minutes(10))
        #expect(overlay[2].store.contents().isEmpty)
        #expect(overlay[2].engine.transfers.mending.count == 0)
    }
}

/// The machine that says what is to be looked at and brought.
struct MendingMachineTests {
    private var mending = Mending()
    private let contents: [Digest] = [1, 2, 3].compactMap { Digest([UInt8](repeating: $0, count: 32)[...]) }

    /// Pieces that are read until nothing is due, by content; each has two.
    private mutating func look(_ now: Instant) -> [Int] {
        var seen: [Int] = []
        while let look = mending.nextLook(among: { contents }, pieces: { _ in [0, 1] }, at: now) {
            seen.append((contents.firstIndex(of: look.content) ?? 9) * 10 + look.piece)
            mending.looked(at: now)
        }
        return seen
    }

    @Test mutating func `a round looks at one piece at a time, once a day`() throws {
        mending.start(at: at(0))
        #expect(look(at(9)) == [])
        var seen: [Int] = []
        for quarter in 40..<60 as Range<UInt64> { seen += look(Instant(nanoseconds: quarter * 250_000_000)) }
        #expect(seen == [0, 1, 10, 11, 20, 21])
        #expect(mending.deadline == at(10 + 86_400))
    }

    @Test mutating func `where damage was met all is looked at at once, and brought after that`() {
        mending.recordLoss(1, of: contents[1], isSeen: false, at: at(1))
        #expect(mending.begin(at: at(1)) == [])
        #expect(look(at(1)) == [10, 11])
        #expect(mending.begin(at: at(3)) == [contents[1]])
        #expect(mending.begin(at: at(4)) == [], "once")
        mending.recordWrite(.piece(0), of: contents[1])
        mending.heal(contents[1], at: at(4))
        mending.recordWrite(.piece(0), of: contents[1])
        #expect([mending.lost, mending.mended, UInt64(mending.count)] == [1, 1, 0])
    }

    @Test mutating func `an outline that was written back shows what could not be looked at without it`() {
        mending.recordLoss(1, of: contents[1], isSeen: true, at: at(0))
        #expect(mending.begin(at: at(5)) == [contents[1]])
        mending.recordWrite(.outline, of: contents[1])
        mending.heal(contents[1], at: at(6))
        #expect(look(at(6)) == [10, 11])
        #expect(mending.deadline.map { $0 > at(6) } ?? true)
    }

    @Test mutating func `damage that a round meets makes it urgent`() {
        mending.start(at: at(0))
        _ = mending.nextLook(among: { contents }, pieces: { _ in [0, 1] }, at: at(10))
        mending.recordLoss(1, of: contents[0], isSeen: false, at: at(10))
        #expect(mending.begin(at: at(10)) == [])
        mending.looked(at: at(10))
        #expect(look(at(10)) == [1], "the rest of it at once, and no more")
        #expect(mending.begin(at: at(12)) == [contents[0]])
    }

    @Test mutating func `a round that damage interrupts goes on`() {
        mending.start(at: at(0))
        #expect(look(at(10)) == [0])
        mending.recordLoss(1, of: contents[2], isSeen: false, at: at(10))
        #expect(look(at(10)) == [20, 21])
        var seen: [Int] = []
        for second in 11..<30 as Range<UInt64> { seen += look(at(second)) }
        #expect(seen == [0, 1, 10, 11, 20, 21])
    }

    @Test mutating func `few are brought at once, and what fails rests longer each time`() {
        for content in contents { mending.recordLoss(1, of: content, isSeen: true, at: at(0)) }
        #expect(mending.begin(at: at(5)) == [contents[0], contents[1]])
        #expect(mending.begin(at: at(6)) == [])
        mending.recordFailure(of: contents[0], at: at(7))
        #expect(mending.begin(at: at(7)) == [contents[2]])
        mending.heal(contents[1], at: at(4))
        mending.heal(contents[2], at: at(8))
        #expect(mending.begin(at: at(36)) == [])
        #expect(mending.begin(at: at(37)) == [contents[0]])
        mending.recordFailure(of: contents[0], at: at(40))
        #expect(mending.begin(at: at(99)) == [])
        #expect(mending.begin(at: at(100)) == [contents[0]])
        mending.heal(contents[0], at: at(101))
        #expect(mending.count == 0)
    }
}
