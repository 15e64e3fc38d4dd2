import DHTCore
import DHTCrypto
import Testing

@testable import DHTEngine

/// Many values that are kept alive, and short lifetimes.
struct RenewalPaceTests {
    private func keep(_ key: [UInt8], lifetime: UInt32, at index: Int, of overlay: Overlay) -> Outcome? {
        let put = Operation.Put(key: key, value: key, lifetime: lifetime, isKept: true)
        return overlay.finish(overlay.submit(.put(put), at: index), at: index)
    }

    @Test func `a renewal that fails is made up for within the shortest lifetime`() {
        let overlay = Overlay(6)
        overlay.startAll()
        let start = overlay.clock
        _ = keep([1], lifetime: RenewedValue.leastLifetime, at: 1, of: overlay)
        overlay.run(until: start + .seconds(14)) { false }
        for index in 0..<6 where index != 1 { overlay.groups[index] = 1 }
        let hasFailed = overlay.run(until: start + .seconds(30)) {
            overlay[1].engine.renewalCounts.failing == 1
        }
        #expect(hasFailed)
        overlay.groups = [:]
        let isMadeUpFor = overlay.run(until: start + .seconds(30)) {
            overlay[1].engine.renewalCounts.failing == 0
        }
        #expect(isMadeUpFor, "failed until \(overlay.clock.since(start).milliseconds) ms")
        overlay.run(for: .seconds(5))
        #expect(overlay.look("\u{1}", at: 4)?.found.first?.copies ?? 0 >= 3)
    }

    @Test func `a value is renewed when it falls due, not when somebody looks`() {
        let overlay = Overlay(6)
        overlay.startAll()
        _ = keep([1], lifetime: 60, at: 1, of: overlay)
        let written = overlay[1].engine.renewedValues[0].revision.unixMilliseconds
        overlay.run(until: overlay.clock + .seconds(60)) { !overlay[1].engine.desk.kept.underWay.isEmpty }
        let begun = overlay.now(at: overlay[1]).unixMilliseconds
        #expect((30_000...30_100).contains(begun - written), "\(begun - written) ms after it was written")
    }

    @Test func `too short a lifetime is refused, with the least, and nothing is written`() {
        let overlay = Overlay(3)
        overlay.startAll()
        guard case .unkeepable(let refusal)? = keep([1], lifetime: 29, at: 1, of: overlay) else {
            Issue.record("it was not refused")
            return
        }
        #expect(refusal == .lifetime(atLeast: 30))
        #expect(overlay.look("\u{1}", at: 0)?.found.isEmpty == true)
        #expect(overlay[1].engine.desk.operations.isEmpty)
    }

    // MARK: The pace

    private static let start: UInt64 = 1_700_000_000_000

    private static func now(_ milliseconds: UInt64) -> Now {
        Now(instant: Instant(nanoseconds: milliseconds * 1_000_000), unixMilliseconds: start + milliseconds)
    }

    private static func location(_ number: Int) -> NodeID { sha1(key(number)) }

    private static func key(_ number: Int) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xFF)] }

    private static func kept(_ number: Int, _ lifetime: UInt32, at milliseconds: UInt64) -> RenewedValue {
        let revision = Revision(unixMilliseconds: start + milliseconds, above: nil)
        return RenewedValue(key: key(number), lifetime: lifetime, revision: revision)
    }

    @Test func `as many as are kept may have 1024 seconds each, and not one less`() {
        var kept = RenewedValues()
        for number in 1..<RenewedValues.capacity {
            kept.keep(Self.kept(number, 1024, at: 0), at: Self.location(number), Self.now(0))
        }
        #expect(kept.promise(1023, at: Self.location(0)) == .lifetime(atLeast: 1024))
        #expect(kept.promise(1024, at: Self.location(0)) == nil)
        #expect(kept.promise(86_400, at: Self.location(40_000)) == .capacity, "one more is being put")
        // A longer lifetime in the place of a shorter one is no further key.
        #expect(kept.promise(86_400, at: Self.location(7)) == nil)
        kept.release(Self.location(0))
        kept.release(Self.location(7))
        #expect(kept.promise(2048, at: Self.location(40_000)) == nil)
    }

    @Test func `what is being put counts, until it is over`() {
        var kept = RenewedValues()
        let many = (0..<480).map { Self.location($0) }
        for location in many { #expect(kept.promise(30, at: location) == nil) }
        #expect(kept.promise(30, at: Self.location(480)) == .lifetime(atLeast: 16_711_936))
        for location in many { kept.release(location) }
        #expect(kept.promise(30, at: Self.location(480)) == nil)
    }
}
