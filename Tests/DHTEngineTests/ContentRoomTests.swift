import DHTCore
import DHTEnvelope
import Testing

@testable import DHTEngine

/// Room for content to which no record refers yet: what is promised to one is not there for another.
struct ContentRoomTests {
    private var shelf = ContentShelf()
    private let now = Instant(nanoseconds: 0)

    private func reference(_ number: UInt8, mebibytes: UInt32 = 16) -> ContentReference {
        guard let digest = Digest([UInt8](repeating: number, count: 32)[...]),
            let reference = ContentReference(length: mebibytes << 20, digest: digest)
        else { preconditionFailure("32 bytes are a digest") }
        return reference
    }

    private func owner(author: UInt8, sender: UInt8) -> ContentShelf.Owner {
        .member(author: LiarTests.contact(author).identity, sender: LiarTests.contact(sender).identity)
    }

    /// Takes on 16 MiB if there is room.
    private mutating func take(_ number: UInt8, for owner: ContentShelf.Owner) -> Bool {
        guard shelf.hasRoom(for: reference(number), of: owner) else { return false }
        shelf.expect(reference(number), for: owner, at: now)
        return true
    }

    @Test mutating func `a promise counts before a byte came, by sender and by author`() {
        for number in 1...4 as ClosedRange<UInt8> {
            #expect(take(number, for: owner(author: number, sender: 1)))
        }
        #expect(!take(5, for: owner(author: 5, sender: 1)))
        for number in 5...7 as ClosedRange<UInt8> {
            #expect(take(number, for: owner(author: 1, sender: number)))
        }
        #expect(!take(8, for: owner(author: 1, sender: 8)))
        #expect(take(8, for: owner(author: 8, sender: 8)))
        #expect(shelf.loose == 8 * 16 << 20)
    }

    @Test mutating func `strangers together leave our own users a reserve`() {
        for number in 1...12 as ClosedRange<UInt8> {
            #expect(take(number, for: owner(author: number, sender: number)))
        }
        #expect(!take(13, for: owner(author: 13, sender: 13)))
        for number in 20...23 as ClosedRange<UInt8> { #expect(take(number, for: .users)) }
        #expect(!take(24, for: .users))
        #expect(shelf.loose == ContentShelf.looseLimit)
    }

    @Test mutating func `what is stored with its record, or given up, is room again`() {
        for number in 1...4 as ClosedRange<UInt8> { _ = take(number, for: owner(author: 1, sender: 1)) }
        #expect(shelf.expectNoMore(reference(1).digest) == false, "the store never heard of it")
        #expect(shelf.begin(reference(2), for: .unknown, at: now) == true)
        #expect(shelf.expectNoMore(reference(2).digest) == true, "the store has an outline without pieces")
        shelf.setReferred(reference(3).digest, at: now)
        #expect(shelf.loose == 16 << 20)
        for number in 5...7 as ClosedRange<UInt8> {
            #expect(take(number, for: owner(author: 1, sender: 1)))
        }
    }

    @Test mutating func `pieces of what was given up count until they are forgotten`() {
        _ = take(1, for: owner(author: 1, sender: 1))
        _ = shelf.begin(reference(1), for: .unknown, at: now)
        shelf.note(.outline, of: reference(1).digest)
        for piece in 0..<100 { shelf.note(.piece(piece), of: reference(1).digest) }
        #expect(shelf.expectNoMore(reference(1).digest) == false)
        #expect(shelf.loose == 6_400_000)
        #expect(shelf.forget(unreferred: [reference(1).digest], at: now + .minutes(9)).isEmpty)
        #expect(shelf.forget(unreferred: [reference(1).digest], at: now + .minutes(10)).count == 1)
        #expect(shelf.loose == 0)
    }

    @Test mutating func `content whose record is gone counts again, and goes soon after`() {
        let digest = reference(1).digest
        _ = take(1, for: owner(author: 1, sender: 1))
        _ = shelf.begin(reference(1), for: .unknown, at: now)
        shelf.note(.outline, of: digest)
        for piece in 0..<reference(1).pieceCount { shelf.note(.piece(piece), of: digest) }
        shelf.setReferred(digest, at: now)
        _ = shelf.expectNoMore(digest)
        #expect(shelf.loose == 0)
        #expect(shelf.forget(unreferred: [digest], at: now + .minutes(30)).isEmpty)
        #expect(shelf.loose == 16 << 20)
        #expect(shelf.forget(unreferred: [], at: now + .minutes(31)).isEmpty, "its record was on its way")
        #expect(shelf.loose == 0)
        #expect(shelf.forget(unreferred: [digest], at: now + .minutes(32)).isEmpty)
        #expect(shelf.forget(unreferred: [digest], at: now + .minutes(34)) == [digest])
        #expect(shelf.loose == 0)
    }

    // MARK: On a virtual network

    /// The last host announces 16 MiB after 16 MiB and delivers outlines only.
    private func announce(
        _ count: Int,
        at overlay: Overlay,
        for span: Span,
        look: (borrowing Transfers) -> Void = { _ in }
    ) {
        let hoaxer = overlay.hosts.count - 1
        let promises = (0..<count).map { overlay.promise("hoax \($0)", length: 16 << 20, by: hoaxer) }
        let outlines = Dictionary(
            promises.compactMap { promise in
                promise.record.reference.map { ($0.digest, promise.outline) }
            },
            uniquingKeysWith: { first, _ in first }
        )
        overlay.corrupt(hoaxer) { request, _ in
            guard case .findChunk(let content, .outline, let chunk) = request,
                let outline = outlines[content]
            else { return nil }
            return .chunk(Array(outline.dropFirst(Int(chunk) * 1000).prefix(1000)))
        }
        let end = overlay.clock + span
        while overlay.clock < end {
            for promise in promises {
                for index in 0..<hoaxer {
                    overlay.ask(.store(promise.record, condition: nil), of: index, by: hoaxer)
                }
            }
            for _ in 0..<10 {
                overlay.run(for: .milliseconds(50))
                for index in 0..<hoaxer { look(overlay[index].engine.transfers) }
            }
        }
    }

    @Test func `who announces much and delivers outlines takes nobody's room but its own`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        var (slots, bytes) = (0, 0)
        announce(16, at: overlay, for: .seconds(5)) { transfers in
            slots = max(slots, transfers.incoming.count)
            bytes = max(bytes, transfers.shelf.loose)
        }
        #expect(slots == Transfers.incomingBySender)
        #expect(bytes == ContentShelf.limitBySender)
        for host in overlay.hosts {
            #expect(!host.engine.occupancies.contains { !$0.isWithinBound })
        }
        let value = ContentTests.bytes(500_000)
        #expect((overlay.putLong("long", value, at: 1)?.outcome.stored ?? 0) >= 3)
        #expect(overlay.getLong("long", at: 3) == value)
    }

    @Test func `what does not come is given up after half a minute, whatever is asked meanwhile`() throws {
        let overlay = Overlay(3)
        overlay.startAll()
        announce(4, at: overlay, for: .seconds(32))
        #expect(overlay[0].engine.counters.contentAbandoned >= 4)
        #expect(overlay.offences(.undeliveredContent, of: 2, at: 0) >= 4)
        overlay.run(for: .seconds(40))
        #expect(overlay[0].engine.transfers.incoming.isEmpty)
        #expect(overlay[0].engine.transfers.shelf.holdings.isEmpty)
        #expect(overlay[0].engine.transfers.shelf.loose == 0)
        #expect(overlay[0].store.contents().isEmpty)
    }

    @Test func `ten long values put at once by one node wait for one another`() throws {
        let overlay = Overlay(4)
        overlay.startAll()
        let names = (0..<10).map { number in
            overlay.submitLong("long \(number)", ContentTests.bytes(200_000, seed: UInt64(number)), at: 0)
        }
        for name in names {
            guard case .put(_, let outcome)? = overlay.finish(name, at: 0) else {
                Issue.record("a put did not end")
                continue
            }
            #expect(outcome.stored >= 2)
        }
        // What was not waited for is made up for.
        overlay.run(for: .minutes(4))
        for number in 0..<10 { #expect(overlay.holders(of: "long \(number)").count == 4) }
        for host in overlay.hosts { #expect(host.engine.core.conduct.report.isEmpty) }
    }
}
