import DHTCore
import DHTCrypto
import DHTEnvelope
import Testing

@testable import DHTEngine

/// Room for content to which no record refers yet: what is promised to one is not there for another.
struct ContentRoomTests {
    private var inventory = ContentInventory()
    private let now = Instant(nanoseconds: 0)

    private func reference(_ number: UInt8, mebibytes: UInt32 = 16) -> ContentReference {
        guard let digest = Digest([UInt8](repeating: number, count: 32)[...]),
            let reference = ContentReference(length: mebibytes << 20, digest: digest)
        else { preconditionFailure("32 bytes are a digest") }
        return reference
    }

    private func owner(author: UInt8, sender: UInt8) -> ContentInventory.Owner {
        .member(author: LiarTests.contact(author).identity, sender: LiarTests.contact(sender).identity)
    }

    /// Takes on 16 MiB if there is room.
    private mutating func take(_ number: UInt8, for owner: ContentInventory.Owner) -> Bool {
        guard inventory.hasRoom(for: reference(number), of: owner) else { return false }
        inventory.expect(reference(number), for: owner, at: now)
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
        #expect(inventory.loose == 8 * 16 << 20)
    }

    @Test mutating func `strangers together leave our own users a reserve`() {
        for number in 1...12 as ClosedRange<UInt8> {
            #expect(take(number, for: owner(author: number, sender: number)))
        }
        #expect(!take(13, for: owner(author: 13, sender: 13)))
        for number in 20...23 as ClosedRange<UInt8> { #expect(take(number, for: .users)) }
        #expect(!take(24, for: .users))
        #expect(inventory.loose == ContentInventory.looseLimit)
    }

    @Test mutating func `what is stored with its record, or given up, is room again`() {
        for number in 1...4 as ClosedRange<UInt8> { _ = take(number, for: owner(author: 1, sender: 1)) }
        #expect(inventory.expectNoMore(reference(1).digest) == false, "the store never heard of it")
        #expect(inventory.begin(reference(2), for: .unknown, at: now) == true)
        #expect(
            inventory.expectNoMore(reference(2).digest) == true,
            "the store has an outline without pieces"
        )
        inventory.setReferred(reference(3).digest, at: now)
        #expect(inventory.loose == 16 << 20)
        for number in 5...7 as ClosedRange<UInt8> {
            #expect(take(number, for: owner(author: 1, sender: 1)))
        }
    }

    @Test mutating func `pieces of what was given up count until they are forgotten`() {
        _ = take(1, for: owner(author: 1, sender: 1))
        _ = inventory.begin(reference(1), for: .unknown, at: now)
        inventory.record(.outline, of: reference(1).digest)
        for piece in 0..<100 { inventory.record(.piece(piece), of: reference(1).digest) }
        #expect(inventory.expectNoMore(reference(1).digest) == false)
        #expect(inventory.loose == 6_400_000)
        #expect(inventory.forget(unreferred: [reference(1).digest], at: now + .minutes(9)).isEmpty)
        #expect(inventory.forget(unreferred: [reference(1).digest], at: now + .minutes(10)).count == 1)
        #expect(inventory.loose == 0)
    }

    @Test mutating func `content whose record is gone counts again, and goes soon after`() {
        let digest = reference(1).digest
        _ = take(1, for: owner(author: 1, sender: 1))
        _ = inventory.begin(reference(1), for: .unknown, at: now)
        inventory.record(.outline, of: digest)
        for piece in 0..<reference(1).pieceCount { inventory.record(.piece(piece), of: digest) }
        inventory.setReferred(digest, at: now)
        _ = inventory.expectNoMore(digest)
        #expect(inventory.loose == 0)
        #expect(inventory.forget(unreferred: [digest], at: now + .minutes(30)).isEmpty)
        #expect(inventory.loose == 16 << 20)
        #expect(inventory.forget(unreferred: [], at: now + .minutes(31)).isEmpty, "its record was on its way")
        #expect(inventory.loose == 0)
        #expect(inventory.forget(unreferred: [digest], at: now + .minutes(32)).isEmpty)
        #expect(inventory.forget(unreferred: [digest], at: now + .minutes(34)) == [digest])
        #expect(inventory.loose == 0)
    }

    // MARK: What makes room

    private func record(_ number: UInt8, at key: UInt8, revision: UInt64) -> Record {
        let author = LiarTests.contact(1).identity
        var bytes: [UInt8] = [RecordLayout.version, Record.Kind.reference.rawValue, 1, key] + author.bytes
        bytes.appendBigEndian(revision)
        bytes.appendBigEndian(UInt32(3600))
        let value = reference(number).encoded
        bytes.appendBigEndian(UInt16(value.count))
        bytes += value + [UInt8](repeating: 0, count: RecordLayout.signatureLength)
        return Record(checkedBytes: bytes, location: sha1([key]), digest: Digest(blake2bOf: bytes))
    }

    private mutating func makeRoom(
        _ number: UInt8,
        for owner: ContentInventory.Owner,
        replaced: Set<ContentInventory.Claim> = [],
        after span: Interval = .seconds(0)
    ) -> [Digest]? {
        inventory.makeRoom(for: reference(number), of: owner, replaced: replaced, at: now + span)
    }

    /// Content that is all here, and no record refers to.
    private mutating func leave(_ number: UInt8, for owner: ContentInventory.Owner) {
        _ = inventory.begin(reference(number), for: owner, at: now)
        inventory.record(.outline, of: reference(number).digest)
        for piece in 0..<reference(number).pieceCount {
            inventory.record(.piece(piece), of: reference(number).digest)
        }
        _ = inventory.expectNoMore(reference(number).digest)
    }

    @Test
    mutating func `content whose record was replaced goes at once when room is needed, the oldest first`() {
        let mine = owner(author: 1, sender: 1)
        for number in 1...4 as ClosedRange<UInt8> {
            leave(number, for: mine)
            inventory.setReferred(reference(number).digest, at: now)
        }
        #expect(makeRoom(5, for: mine) == [], "records refer to all of it")
        let digests = (1...4 as ClosedRange<UInt8>).map { reference($0).digest }
        // They were replaced one after the other.
        for count in 1...4 {
            _ = inventory.forget(unreferred: Array(digests.prefix(count)), at: now + .seconds(UInt64(count)))
        }
        #expect(inventory.loose == 64 << 20)
        #expect(makeRoom(5, for: mine, after: .seconds(4)) == [digests[0]])
        #expect(inventory.loose == 48 << 20)
        #expect(makeRoom(5, for: mine, after: .seconds(4)) == [], "there is room now")
        #expect(makeRoom(5, for: owner(author: 9, sender: 9)) == [], "others had room all the time")
    }

    @Test mutating func `content of a record that never was stored goes when a newer one of its place was`() {
        let mine = owner(author: 1, sender: 1)
        let records = (1...4 as ClosedRange<UInt8>).map { record($0, at: 7, revision: UInt64($0)) }
        for (number, record) in zip(1...4 as ClosedRange<UInt8>, records) {
            leave(number, for: mine)
            inventory.claim(reference(number).digest, for: record)
        }
        #expect(makeRoom(5, for: mine) == nil)
        #expect(
            inventory.looseClaims.count == 4 && inventory.loose == 64 << 20,
            "nothing was forgotten in vain"
        )
        let replaced = Set(records.dropLast().map { ContentInventory.Claim($0) })
        #expect(makeRoom(5, for: mine, replaced: replaced) == [reference(1).digest])
        // What is for two places is not replaced with one of them.
        inventory.claim(reference(2).digest, for: record(2, at: 8, revision: 2))
        leave(5, for: mine)
        #expect(makeRoom(6, for: mine, replaced: replaced) == [reference(3).digest])
        #expect(inventory[reference(2).digest] != nil)
    }

    @Test
    mutating func `what is on its way, or of others, makes no room, and what was left lying does in time`() {
        let (mine, another) = (owner(author: 1, sender: 1), owner(author: 2, sender: 2))
        for number in 1...4 as ClosedRange<UInt8> { #expect(take(number, for: mine)) }
        #expect(makeRoom(5, for: mine, after: .minutes(5)) == nil)
        for number in 11...14 as ClosedRange<UInt8> { leave(number, for: another) }
        #expect(makeRoom(5, for: mine, after: .minutes(5)) == nil)
        #expect(makeRoom(15, for: another, after: .seconds(29)) == nil)
        #expect(makeRoom(15, for: another, after: .seconds(30)) == [reference(11).digest])
        for number in 20...27 as ClosedRange<UInt8> { leave(number, for: .users) }
        #expect(inventory.loose <= ContentInventory.looseLimit)
        #expect(makeRoom(30, for: .users, after: .minutes(1)) != nil)
    }

    @Test mutating func `no stranger takes what is our own users'`() {
        for number in 1...12 as ClosedRange<UInt8> {
            leave(number, for: owner(author: number, sender: number))
        }
        for number in 20...23 as ClosedRange<UInt8> { leave(number, for: .users) }
        #expect(inventory.loose == ContentInventory.looseLimit)
        #expect(makeRoom(30, for: owner(author: 30, sender: 30), after: .minutes(5)) == nil)
        #expect(makeRoom(30, for: .users, after: .minutes(5)) == [reference(20).digest])
    }

    // MARK: On a virtual network

    /// The last host announces 16 MiB after 16 MiB and delivers outlines only.
    private func announce(
        _ count: Int,
        at overlay: Overlay,
        for span: Interval,
        look: (borrowing ContentTransfers) -> Void = { _ in }
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
            bytes = max(bytes, transfers.inventory.loose)
        }
        #expect(slots == ContentTransfers.incomingBySender)
        #expect(bytes == ContentInventory.limitBySender)
        for host in overlay.hosts {
            #expect(!host.engine.bounds.contains { !$0.isWithinBound })
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
        #expect(overlay[0].engine.transfers.inventory.holdings.isEmpty)
        #expect(overlay[0].engine.transfers.inventory.loose == 0)
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

    @Test func `a put that broke is put again at once`() throws {
        let overlay = Overlay(4)
        overlay.startAll()
        let value = ContentTests.bytes(500_000)
        _ = overlay.submitLong("long", value, at: 0)
        overlay.run(for: .milliseconds(80))
        // Its author dies, so nobody brings the rest.
        overlay.kill(0)
        overlay.run(for: .seconds(35))
        #expect((1..<4).contains { overlay[$0].engine.counters.contentAbandoned > 0 })
        overlay.start(0, seeds: [1])
        overlay.run(for: .seconds(10))
        let outcome = try #require(overlay.putLong("long", value, at: 0)?.outcome)
        #expect(outcome.stored == 4, "\(outcome.replicas.map(\.verdict))")
        #expect(overlay.getLong("long", at: 3) == value)
    }
}
