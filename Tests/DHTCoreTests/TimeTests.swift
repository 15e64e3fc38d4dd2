import Testing

@testable import DHTCore

/// Times at the ends of what can be said, where plain arithmetic would trap.
@Suite struct TimeTests {
    private static let extremes: [UInt64] = [
        0, 1, 999, 1000, 1 << 32 - 1, 1 << 32, 1 << 32 + 1, 1 << 48 - 1, 1 << 48, UInt64(Int64.max), 1 << 63,
        .max - 1, .max,
    ]

    @Test func `sums, differences and products stop at the ends`() {
        let most = UInt64.max
        for (result, expected) in [
            (most +| 1, most), (1 +| 2, 3), (1 -| 2, 0), (3 -| 2, 1), (most *| 2, most), (2 *| 3, 6),
            (most *| 0, 0),
        ] { #expect(result == expected) }
    }

    @Test func `any two moments can be added, subtracted and compared`() {
        for one in Self.extremes {
            for other in Self.extremes {
                let (instant, span) = (Instant(nanoseconds: one), Interval(nanoseconds: other))
                #expect(instant + span >= instant)
                #expect(instant.since(Instant(nanoseconds: other)).nanoseconds <= one)
                #expect(span + Interval(nanoseconds: one) >= span)
                #expect(span - Interval(nanoseconds: one) <= span)
                #expect(other == 0 || Interval(nanoseconds: one) * other >= Interval(nanoseconds: one))
            }
            #expect(
                min(Interval.minutes(one).seconds, Interval.seconds(one).seconds)
                    >= min(one, .max / 1_000_000_000)
            )
        }
    }

    @Test func `a revision at any time is above the one before, up to the last there is`() {
        for wall in Self.extremes {
            let first = Revision(unixMilliseconds: wall, above: nil)
            #expect(first.unixMilliseconds == min(wall, Revision.latest))
            for other in Self.extremes {
                let next = Revision(unixMilliseconds: other, above: first)
                #expect(next > first)
                #expect(first.isFarAhead(of: other) == (min(wall, Revision.latest) > other +| 300_000))
            }
        }
        #expect(Revision(unixMilliseconds: 0, above: .init(rawValue: .max)).rawValue == .max)
    }

    @Test func `records of any revision are judged, ordered and scheduled at any time`() {
        for wall in Self.extremes {
            var catalog = Catalog()
            for revision in Self.extremes {
                let seconds = min(revision, Revision.latest) / 1000
                let record = Record.sample(
                    at: UInt8(revision % 251),
                    revision: seconds,
                    lifetime: 31_536_000
                )
                #expect(record.expiry >= record.revision.unixMilliseconds)
                let decision = catalog.offer(record, condition: .absent, unixMilliseconds: wall).decision
                if record.revision.isFarAhead(of: wall) {
                    #expect(decision == .refuse(.clock(unixMilliseconds: wall)))
                }
                let isTimely = record.revision.unixMilliseconds <= wall +| 5000
                #expect(Precedence(record, unixMilliseconds: wall).isTimely == isTimely)
                let schedule = RepublishSchedule(
                    longestInterval: Interval(nanoseconds: .max),
                    salt: 1,
                    startedAt: Instant(nanoseconds: .max)
                )
                #expect(schedule.due(Catalog.Entry(record)) != nil)
            }
            _ = catalog.sweep(unixMilliseconds: wall)
        }
    }
}
