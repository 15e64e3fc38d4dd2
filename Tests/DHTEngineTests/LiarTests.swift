import DHTCore
import DHTEnvelope
import Testing

@testable import DHTEngine

/// Sources of content that give wrong pieces, or give them slowly.
struct LiarTests {
    static func contact(_ number: UInt8) -> Contact {
        guard let identity = Identity([UInt8](repeating: number, count: 32)[...]) else {
            preconditionFailure("32 bytes are an identity")
        }
        let endpoint = Endpoint(ipv4: 0x0A00_0000 + UInt32(number), port: 4000)
        return Contact(identity: identity, id: identity.nodeID, endpoint: endpoint)
    }

    private let value = ContentTests.bytes(200_000)
    private let content: Content
    private var fetch: ContentFetch
    private var clock = Instant(nanoseconds: 1_000_000_000)

    init() throws {
        content = try #require(Content(value))
        fetch = ContentFetch(content.reference)
    }

    private mutating func chunkRequests() -> [ContentFetch.ChunkRequest] {
        fetch.nextRequests(limit: 16, at: clock)
    }

    private func chunk(_ chunkRequest: ContentFetch.ChunkRequest) -> [UInt8] {
        let part =
            switch chunkRequest.part {
            case .outline: content.outline
            case .piece(let index): content.piece(index) ?? []
            }
        return Array(part.dropFirst(chunkRequest.chunk * 1000).prefix(1000))
    }

    /// The source answers; `isLie`: with something else.
    @discardableResult
    private mutating func answer(_ chunkRequest: ContentFetch.ChunkRequest, isLie: Bool = false) -> Bool {
        var bytes = chunk(chunkRequest)
        if isLie { bytes[0] ^= 1 }
        return fetch.answered(chunkRequest, bytes, isClear: true, at: clock) != nil
    }

    /// Lets everybody answer what it is asked but those who are `silent`, until nothing more is asked.
    private mutating func run(silent: Set<UInt8> = [], lying: Set<UInt8> = []) -> [ContentFetch.ChunkRequest]
    {
        var (asked, pending) = ([ContentFetch.ChunkRequest](), chunkRequests())
        while !pending.isEmpty {
            asked += pending
            for chunkRequest in pending where !silent.contains(chunkRequest.contact.identity.bytes[0]) {
                answer(chunkRequest, isLie: lying.contains(chunkRequest.contact.identity.bytes[0]))
            }
            pending = chunkRequests()
        }
        return asked
    }

    @Test mutating func `who gave a wrong part is asked no more, whoever names it again`() {
        fetch.add(Self.contact(1))
        _ = run(lying: [1])
        #expect(fetch.isStuck)
        #expect(fetch.takeLiars() == [Self.contact(1).identity])
        #expect(fetch.takeLiars().isEmpty)
        fetch.add(Self.contact(1))
        fetch.add(Self.contact(1), isOffer: true)
        #expect(chunkRequests().isEmpty)
        fetch.add(Self.contact(2))
        #expect(run().allSatisfy { $0.contact == Self.contact(2) })
        #expect(fetch.isComplete)
    }

    @Test mutating func `who lied to another is asked no more, and others for what it was asked for`() {
        fetch.add(Self.contact(1))
        answer(chunkRequests()[0])
        #expect(!chunkRequests().isEmpty)
        fetch.dismiss(Self.contact(1).identity)
        #expect(fetch.isStuck)
        #expect(fetch.takeLiars().isEmpty, "that is known")
        fetch.add(Self.contact(1), isOffer: true)
        fetch.add(Self.contact(2))
        #expect(run().allSatisfy { $0.contact == Self.contact(2) })
        #expect(fetch.isComplete)
    }

    @Test func `one lie is enough for all that is being brought of the content`() {
        var transfers = ContentTransfers()
        let liar = Self.contact(1).identity
        var asking = fetch
        asking.add(Self.contact(1))
        transfers.incoming[content.reference] = ContentTransfers.Incoming(
            fetch: asking,
            location: Self.contact(3).id,
            sender: liar,
            record: content.reference.digest,
            begun: clock,
            grown: clock
        )
        transfers.record(liar, of: content.reference, at: clock)
        #expect(transfers.incoming[content.reference]?.fetch.isStuck == true)
        #expect(transfers.liars.contains(liar, of: content.reference.digest, at: clock))
    }

    @Test mutating func `who was silent is asked again when anybody names it`() {
        fetch.add(Self.contact(1))
        let chunkRequest = chunkRequests()[0]
        for _ in 0..<4 { fetch.failed(chunkRequest) }
        #expect(fetch.isStuck)
        fetch.add(Self.contact(1))
        #expect(!run().isEmpty)
        #expect(fetch.isComplete)
    }

    @Test mutating func `who had nothing is asked again only when it offers it itself`() {
        fetch.add(Self.contact(1))
        fetch.lacks(chunkRequests()[0])
        fetch.add(Self.contact(1))
        #expect(fetch.isStuck)
        fetch.add(Self.contact(1), isOffer: true)
        #expect(!run().isEmpty)
        #expect(fetch.isComplete)
    }

    @Test mutating func `a liar that falls silent is a liar still`() {
        fetch.add(Self.contact(1))
        let outline = chunkRequests()[0]
        answer(outline)
        let pending = chunkRequests()
        #expect(fetch.answered(pending[0], [1], isClear: true, at: clock) == nil)
        for chunkRequest in pending.dropFirst() { fetch.failed(chunkRequest) }
        fetch.add(Self.contact(1), isOffer: true)
        #expect(fetch.isStuck)
        #expect(fetch.takeLiars().count == 1)
    }

    // MARK: Slow sources

    @Test mutating func `a part that takes too long is asked of another that has nothing to do`() {
        fetch.add(Self.contact(1))
        let late = chunkRequests()
        #expect(late.map(\.part) == [.outline])
        fetch.add(Self.contact(2))
        #expect(chunkRequests().isEmpty)
        clock = clock + .milliseconds(1999)
        fetch.takeBackSlow(at: clock)
        #expect(chunkRequests().isEmpty)
        clock = clock + .milliseconds(1)
        fetch.takeBackSlow(at: clock)
        #expect(fetch.slowParts == 1)
        let again = chunkRequests()
        #expect(again.map(\.part) == [.outline])
        #expect(again.map(\.contact) == [Self.contact(2)])
        #expect(answer(again[0]))
        #expect(!answer(late[0]), "it is there already")
        #expect(run(silent: [1]).contains { $0.contact == Self.contact(2) })
    }

    @Test mutating func `the late chunks of a slow source count if they are the first`() {
        fetch.add(Self.contact(1))
        fetch.add(Self.contact(2))
        _ = run(silent: [2])
        #expect(!fetch.isComplete)
        let held = fetch.held
        clock = clock + .seconds(2)
        fetch.takeBackSlow(at: clock)
        #expect(fetch.slowParts > 0)
        let doubled = chunkRequests()
        #expect(doubled.allSatisfy { $0.contact == Self.contact(1) })
        // The slow one ends first after all; then the other's chunks are for nothing.
        var pending = (0..<64).map { chunk in
            ContentFetch.ChunkRequest(contact: Self.contact(2), part: doubled[0].part, chunk: chunk)
        }
        while let chunkRequest = pending.popLast() { answer(chunkRequest) }
        #expect(fetch.held == held + 64_000)
        for chunkRequest in doubled where chunkRequest.part == doubled[0].part {
            #expect(!answer(chunkRequest))
        }
        #expect(fetch.held == held + 64_000)
    }

    @Test mutating func `a part may take eight times as long as parts take at present`() {
        fetch = ContentFetch(content.reference, pieces: [1, 2, 3])
        fetch.add(Self.contact(1))
        fetch.add(Self.contact(2))
        let first = chunkRequests()
        clock = clock + .seconds(1)
        for chunkRequest in first { answer(chunkRequest) }
        #expect(chunkRequests().allSatisfy { $0.part == .piece(0) })
        clock = clock + .milliseconds(7999)
        fetch.takeBackSlow(at: clock)
        #expect(fetch.slowParts == 0)
        clock = clock + .milliseconds(1)
        fetch.takeBackSlow(at: clock)
        #expect(fetch.slowParts == 1)
        #expect(chunkRequests().contains { $0.contact == Self.contact(2) })
    }

    @Test mutating func `a halted fetch asks for everything that was under way again`() {
        fetch.add(Self.contact(1))
        answer(chunkRequests()[0])
        let begun = chunkRequests()
        fetch.halt()
        #expect(!begun.isEmpty)
        #expect(Set(chunkRequests()) == Set(begun))
    }

    // MARK: Memory

    @Test func `a lie is remembered for ten minutes, and so many of them`() {
        var liars = ContentLiars()
        let start = Instant(nanoseconds: 0)
        for number in 0..<UInt64(ContentLiars.capacity) + 1 {
            guard let digest = Digest(ContentTests.bytes(32, seed: number)[...]) else { continue }
            liars.record(Self.contact(1).identity, of: digest, at: start + .milliseconds(number))
        }
        #expect(liars.count == ContentLiars.capacity)
        liars.record(Self.contact(1).identity, of: content.reference.digest, at: start + .seconds(10))
        func isLiar(_ number: UInt8, at span: Interval) -> Bool {
            liars.contains(Self.contact(number).identity, of: content.reference.digest, at: start + span)
        }
        #expect(isLiar(1, at: .seconds(609)))
        #expect(!isLiar(1, at: .seconds(610)))
        #expect(!isLiar(2, at: .seconds(10)))
    }

    // MARK: On a virtual network

    @Test func `members that give wrong pieces are asked for one, however often the value is read`() throws {
        let overlay = Overlay(9)
        overlay.startAll()
        let value = ContentTests.bytes(1_000_000)
        let content = try #require(Content(value))
        overlay.putLong("long", value, at: 0)
        let holders = overlay.holders(of: "long")
        let reader = try #require((0..<9).first { !holders.contains($0) })
        let look = try #require(overlay.look("long", at: reader))
        let record = try #require(look.found.first?.record)
        var asked = 0
        for liar in holders.prefix(3) {
            overlay.corrupt(liar) { request, _ in
                guard case .findChunk(_, let part, let chunk) = request else { return nil }
                if part == .outline { return .chunk(Array(content.outline.dropFirst(Int(chunk) * 1000))) }
                asked += 1
                return .chunk([UInt8](repeating: 7, count: 1000))
            }
        }
        let contacts = holders.map { overlay[$0].contact }
        func read() -> Bool {
            let name = overlay.submit(.fetch(record, from: contacts), at: reader)
            guard case .fetched(let bytes) = overlay.finish(name, at: reader) else { return false }
            return bytes == value
        }
        #expect(read())
        let once = asked
        #expect(once > 0)
        #expect(once <= 3 * 130, "one part each, and what was under way beside it: \(once)")
        for _ in 0..<3 { #expect(read()) }
        #expect(asked == once)
        for liar in holders.prefix(3) { #expect(overlay.offences(.brokenContent, of: liar, at: reader) <= 1) }
        #expect(overlay[reader].engine.counters.brokenParts >= 2)
        overlay.run(for: .minutes(10))
        #expect(read())
        #expect(asked > once, "it may have been a disk, which was mended")
    }

    @Test func `a slow member does not hold up a reading for long`() throws {
        let overlay = Overlay(9)
        overlay.startAll()
        let value = ContentTests.bytes(400_000)
        let content = try #require(Content(value))
        overlay.putLong("long", value, at: 0)
        let holders = overlay.holders(of: "long")
        let reader = try #require((0..<9).first { !holders.contains($0) })
        let record = try #require(overlay.look("long", at: reader)?.found.first?.record)
        let slow = holders[0]
        var served = 0
        overlay.corrupt(slow) { request, _ in
            guard case .findChunk(_, .piece(let index), let chunk) = request else { return nil }
            served += 1
            guard served % 8 == 1 else { return nil }
            return .chunk(Array((content.piece(index) ?? []).dropFirst(Int(chunk) * 1000).prefix(1000)))
        }
        let begun = overlay.clock
        let contacts = holders.prefix(3).map { overlay[$0].contact }
        let name = overlay.submit(.fetch(record, from: contacts), at: reader)
        guard case .fetched(let bytes?)? = overlay.finish(name, at: reader) else {
            Issue.record("nothing was fetched")
            return
        }
        #expect(bytes == value)
        #expect(overlay.clock.since(begun) < .seconds(5))
    }
}
