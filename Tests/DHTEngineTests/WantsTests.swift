import DHTCore
import DHTEnvelope
import Testing

@testable import DHTEngine

/// Replicas that want content before they take its record: how long they are believed.
struct WantsTests {
    private var wants = Wants()
    private let content = WantsTests.reference(1, length: 1_000_000)
    private let other = WantsTests.reference(2, length: 1000)

    private static func reference(_ number: UInt8, length: UInt32) -> ContentReference {
        guard let digest = Digest([UInt8](repeating: number, count: 32)[...]),
            let reference = ContentReference(length: length, digest: digest)
        else { preconditionFailure("32 bytes are a digest") }
        return reference
    }

    private let peer = LiarTests.contact(1).identity

    private mutating func claims(
        _ reference: ContentReference? = nil,
        held: UInt32 = 0,
        call: UInt64 = 1,
        at seconds: UInt64
    ) -> Bool {
        let now = Instant(nanoseconds: seconds * 1_000_000_000)
        let call = CallID.core(call)
        return wants.claimed(reference ?? content, held: held, by: peer, for: call, at: now)
    }

    private mutating func asks(for reference: ContentReference? = nil, at seconds: UInt64) {
        let now = Instant(nanoseconds: seconds * 1_000_000_000)
        wants.asked(for: (reference ?? content).digest, by: peer, at: now)
    }

    @Test mutating func `who fetches nothing is believed for five seconds`() {
        #expect(claims(at: 100))
        #expect(claims(at: 104))
        #expect(!claims(at: 105))
    }

    @Test mutating func `who fetches is believed ten seconds after each chunk`() {
        #expect(claims(at: 100))
        asks(at: 104)
        #expect(claims(held: 2000, at: 105))
        #expect(claims(held: 2000, at: 114))
        #expect(!claims(held: 2000, at: 115))
    }

    @Test mutating func `who has as much as there is wants nothing`() {
        #expect(!claims(held: 1_000_000, at: 100))
        #expect(wants.count == 0)
    }

    @Test mutating func `who gets it from others as well, or writes it to a slow disk, is believed`() {
        #expect(claims(at: 100))
        #expect(claims(held: 64_000, at: 104))
        #expect(claims(held: 64_000, at: 113))
        #expect(!claims(held: 64_000, at: 114))
        for _ in 0..<128 { asks(at: 115) }
        #expect(claims(held: 64_000, at: 140))
        #expect(!claims(held: 64_000, at: 145))
    }

    @Test
    mutating func `who brings something else of ours first is believed, and then it is this one's turn`() {
        #expect(claims(at: 100))
        #expect(claims(other, call: 2, at: 100))
        for second in stride(from: 101, through: 120, by: 5) as StrideThrough<UInt64> {
            asks(at: second)
            #expect(claims(other, call: 2, at: second + 4))
        }
        #expect(!claims(other, call: 2, at: 130))
    }

    @Test mutating func `nobody is believed beyond the deadline, whatever it asks and says`() {
        let limit = ContentTransfers.allowance(for: content.length).seconds
        #expect(limit == 91)
        #expect(claims(at: 100))
        var last: UInt64 = 0
        for second in 101...300 as ClosedRange<UInt64> {
            asks(at: second)
            if claims(held: UInt32(second), at: second) { last = second }
        }
        #expect(last == 101 + limit)
    }

    @Test mutating func `what was said is forgotten with the last call about it`() {
        #expect(claims(at: 100))
        #expect(claims(call: 2, at: 103))
        wants.ended(CallID.core(1), to: peer, about: content.digest)
        #expect(!claims(call: 2, at: 106))
        wants.ended(CallID.core(2), to: peer, about: content.digest)
        #expect(wants.count == 0)
        #expect(claims(call: 3, at: 107))
    }

    // MARK: On a virtual network

    @Test func `a member that wants every record does not hold up puts, nor does it stay unseen`() throws {
        let overlay = Overlay(12)
        overlay.startAll()
        for liar in [5, 9] { overlay.corrupt(liar) { _, _ in .wanted(held: 0) } }
        for number in 0..<6 {
            let begun = overlay.clock
            let outcome = try #require(overlay.put("key \(number)", "value", at: 0))
            #expect(outcome.stored >= 6)
            #expect(overlay.clock.since(begun) < .seconds(2))
        }
        #expect(overlay.offences(.wantsInVain, of: 5, at: 0) > 0)
        #expect(overlay[0].engine.counters.wantsDisbelieved > 0)
    }

    @Test func `a long put with its copies waits a second for those who fetch nothing, and asks no more`()
        throws
    {
        let overlay = Overlay(8)
        overlay.startAll()
        var asked = 0
        for liar in [5, 6] {
            overlay.corrupt(liar) { _, _ in
                asked += 1
                return .wanted(held: 0)
            }
        }
        let begun = overlay.clock
        let (record, outcome) = try #require(overlay.putLong("long", ContentTests.bytes(5000), at: 0))
        #expect(outcome.stored == 6)
        #expect(overlay.clock.since(begun) < .seconds(2))
        let isQuiet = overlay.run(until: overlay.clock + .seconds(2)) {
            overlay[0].engine.callsInFlight == 0
        }
        #expect(isQuiet)
        #expect(overlay[0].engine.transfers.wants.count == 0)
        let before = asked
        overlay.run(for: .seconds(20))
        #expect(asked == before)
        #expect(overlay[0].engine.core.underReplicated == 1, "made up for later: \(record.digest)")
    }

    @Test func `a put without enough copies ends when nobody who is left is believed`() throws {
        let overlay = Overlay(8)
        overlay.startAll()
        for liar in 3..<8 { overlay.corrupt(liar) { _, _ in .wanted(held: 0) } }
        let begun = overlay.clock
        let (_, outcome) = try #require(overlay.putLong("long", ContentTests.bytes(5000), at: 0))
        #expect(outcome.stored == 3)
        #expect(overlay.clock.since(begun) < .seconds(8))
        #expect(overlay.offences(.wantsInVain, of: 3, at: 0) == 1)
    }

    @Test func `who fetches chunk by chunk and never ends is cut off at the deadline`() throws {
        let overlay = Overlay(2)
        overlay.startAll()
        var held: UInt32 = 0
        let value = ContentTests.bytes(20_000)
        overlay.corrupt(1) { request, _ in
            guard case .store(let record, _) = request, let reference = record.reference else { return nil }
            overlay.ask(.findChunk(content: reference.digest, part: .piece(0), chunk: 0), of: 0, by: 1)
            held = min(held + 1, 19_999)
            return .wanted(held: held)
        }
        let begun = overlay.clock
        let (_, outcome) = try #require(overlay.putLong("long", value, at: 0))
        #expect(outcome.stored == 1)
        #expect((30...34).contains(overlay.clock.since(begun).seconds))
    }
}
