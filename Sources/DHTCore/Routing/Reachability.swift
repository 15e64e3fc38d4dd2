/// How far a contact can be counted on: a graded failure detector, since one lost exchange proves little.
///
/// Every contact has a time at which it wants to be asked for a sign of life: a good one after some quiet,
/// one that failed after a back-off that grows with its silence, so that a member which comes back is found,
/// and soon after a short outage.
package struct Reachability: Hashable, Sendable {
    package typealias Grade = ContactGrade

    /// Requests in a row that must fail, each with all its transmissions.
    package static let badAfter = 2
    /// How long a good contact may be quiet before it is asked, at most. Up to a fifth less is drawn: of the
    /// two ends of a line one asks first, which is a sign of life to both, and many that met at one moment
    /// are not all asked at one moment.
    package static let patience = Interval.minutes(15)
    package static let firstBackoff = Interval.seconds(1)
    package static let longestBackoff = Interval.minutes(5)
    /// The back-off doubles up to this, and from there on is an eighth of the silence so far.
    package static let briefBackoff = Interval.seconds(2)
    package static let silenceShare: UInt64 = 8
    /// Longer than all transmissions of one request take.
    package static let probeAllowance = Interval.seconds(10)

    /// Failed requests since the last answer.
    package private(set) var failures = 0
    /// When the contact should next be asked for a sign of life.
    package private(set) var checkAt: Instant
    /// The wait before the next attempt, counted from `failedAt`; `nil` while good.
    private var backoff: Interval?
    /// While good: the last sign of life.
    private var failedAt: Instant
    /// When the first of the failures was; of no matter while good.
    private var lostAt: Instant

    /// Of a contact that just answered. `draw`: any number.
    package init(answeredAt now: Instant, draw: UInt64 = 0) {
        checkAt = now + (Self.patience - Interval(nanoseconds: draw % (Self.patience.nanoseconds / 5)))
        failedAt = now
        lostAt = now
    }

    package var grade: Grade {
        switch failures {
        case 0: .good
        case ..<Self.badAfter: .questionable
        default: .bad
        }
    }

    /// When a good contact last gave a sign of life; `nil`: it is not good.
    package var quietSince: Instant? { failures == 0 ? failedAt : nil }

    /// Whether the contact is being asked, or is about to be.
    func isProbed(at now: Instant) -> Bool { checkAt <= now + Self.probeAllowance }

    package mutating func answered(at now: Instant, draw: UInt64 = 0) {
        self = Reachability(answeredAt: now, draw: draw)
    }

    /// A request ran out of transmissions.
    ///
    /// Each one counts for the grade. Those that end within the back-off were under way together and say the
    /// same thing, so they do not lengthen it: ten parallel failures would otherwise hide a restart for
    /// minutes.
    package mutating func failed(at now: Instant) {
        failures += 1
        if let backoff {
            guard now >= failedAt + backoff else {
                // The probe that was under way has ended.
                checkAt = min(checkAt, failedAt + backoff)
                return
            }
            let silence = now.since(lostAt)
            let longest = min(max(silence / Self.silenceShare, Self.briefBackoff), Self.longestBackoff)
            self.backoff = min(backoff * 2, longest)
        } else {
            lostAt = now
            backoff = Self.firstBackoff
        }
        failedAt = now
        checkAt = now + (backoff ?? Self.firstBackoff)
    }

    /// There is no room for a probe before `instant`.
    package mutating func postponed(until instant: Instant) { checkAt = max(checkAt, instant) }

    /// There is a reason to ask no later than at `instant`.
    package mutating func hastened(to instant: Instant) { checkAt = min(checkAt, instant) }

    /// A probe is under way: no second one until it must have ended.
    package mutating func probed(at now: Instant) {
        checkAt = now + max(Self.probeAllowance, backoff ?? Self.probeAllowance)
    }
}

/// How often peers were judged to be late or silent, and of how many requests. Where all peers are there,
/// each judgement is a false one.
package struct FailureDetectorCounters: Hashable, Sendable {
    /// Requests of ours, however often each was sent.
    package internal(set) var requests: UInt64 = 0
    /// Requests whose answer was overdue, so that somebody else was asked as well.
    package internal(set) var overdue: UInt64 = 0
    /// Contacts that were good and became questionable.
    package internal(set) var questionable: UInt64 = 0
    /// Contacts that became bad.
    package internal(set) var bad: UInt64 = 0

    package init() {}

    /// A request to a contact of this grade failed.
    mutating func record(_ failure: RoutingTable.Failure, of grade: Reachability.Grade?) {
        switch grade {
        case .good where failure == .questionable: questionable += 1
        case .good, .questionable: bad += failure == .questionable ? 0 : 1
        case .bad, nil: break
        }
    }

    package static func += (sum: inout FailureDetectorCounters, other: FailureDetectorCounters) {
        sum.requests += other.requests
        sum.overdue += other.overdue
        sum.questionable += other.questionable
        sum.bad += other.bad
    }
}
