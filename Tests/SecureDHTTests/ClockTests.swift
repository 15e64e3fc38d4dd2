import DHTCore
import Foundation
import Testing

@testable import SecureDHT

/// What people are told of times.
@Suite struct ClockTextTests {
    @Test func `times are told in UTC, as the calendar has them`() {
        var generator = SystemRandomNumberGenerator()
        let random = (0..<2000).map { _ in UInt64.random(in: 0..<253_402_300_799, using: &generator) }
        for seconds in [0, 951_782_400, 951_868_799, 4_102_444_800, 4_294_967_296, 253_402_300_799] + random {
            let date = Date(timeIntervalSince1970: Double(seconds))
            #expect(UTC.text(unixMilliseconds: seconds * 1000) == date.formatted(.iso8601), "\(seconds)")
        }
        #expect(UTC.text(unixMilliseconds: 1) == "1970-01-01T00:00:01Z")
        #expect(UTC.text(unixMilliseconds: .max).hasSuffix("Z"))
    }

    @Test func `whoever is refused for clocks is told by how much, what to do and from when it works`() {
        let error = DHTError.refusedByClock(of: "dht1peer", 1_000_000_000_000, written: 1_000_086_400_000)
        #expect(error.code == .partial)
        for part in ["86400 s ahead", "dht1peer", "write again", "2001-09-10T01:41:40Z"] {
            #expect(error.reason.contains(part), "\(error.reason)")
        }
        _ = DHTError.refusedByClock(of: "", .max, written: 0)
        _ = DHTError.refusedByClock(of: "", 0, written: .max)
    }

    @Test func `a deadline at the end of all time is one that never comes`() {
        #expect(Instant(nanoseconds: .max).deadline == .distantFuture)
        #expect(Instant(nanoseconds: 5).deadline == .uptimeNanoseconds(5))
    }
}
