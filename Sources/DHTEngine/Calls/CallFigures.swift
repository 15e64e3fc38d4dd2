import DHTCore

/// Requests by their operation: how many there were, and how long ours took.
///
/// Counted where they end, into integers that are there from the first: a request costs a few additions.
package struct CallFigures: Sendable {
    /// The end of a request of ours.
    package enum Outcome: Int, CaseIterable, Sendable {
        /// Answered, having been sent once.
        case answered
        /// Answered after it was sent again.
        case repeated
        /// Given up.
        case timeout

        /// As people and programs read it.
        package var name: String { "\(self)" }
    }

    /// One request of ours that ended.
    package struct Observation: Hashable, Sendable {
        package let operation: OperationCode
        package let outcome: Outcome
        /// Since the request was first sent to the peer as it is now: a PING that goes ahead, or a pause that
        /// the peer asked for, is before that.
        package let duration: Interval
    }

    /// The upper ends of the histogram's buckets, each part of its bucket; a last bucket has the rest.
    package static let bounds: [Interval] = [
        .microseconds(500), .milliseconds(1), .microseconds(2500), .milliseconds(5), .milliseconds(10),
        .milliseconds(25), .milliseconds(50), .milliseconds(100), .milliseconds(250), .milliseconds(500),
        .seconds(1), .milliseconds(2500), .seconds(5), .seconds(10), .seconds(30), .seconds(60),
    ]
    private static let bucketCount = bounds.count + 1

    /// Requests of ours that were begun, by operation.
    private var begun = [UInt64](repeating: 0, count: OperationCode.allCases.count)
    /// Requests of others that were accepted, by operation.
    private var accepted = [UInt64](repeating: 0, count: OperationCode.allCases.count)
    /// Requests of ours that ended, by operation, outcome and bucket.
    private var ended = [UInt64](
        repeating: 0,
        count: OperationCode.allCases.count * Outcome.allCases.count * bucketCount
    )
    private var observations: [Observation] = []
    /// Single observations are kept for ``take(_:)``, which is called after every turn.
    var isObserved = false

    // MARK: Events

    mutating func begin(_ operation: OperationCode) { begun[operation.index] += 1 }
    mutating func accept(_ operation: OperationCode) { accepted[operation.index] += 1 }

    mutating func end(_ operation: OperationCode, _ outcome: Outcome, after duration: Interval) {
        let bucket = Self.bounds.firstIndex { duration <= $0 } ?? Self.bounds.count
        ended[Self.start(operation, outcome) + bucket] += 1
        guard isObserved else { return }
        observations.append(Observation(operation: operation, outcome: outcome, duration: duration))
    }

    /// Tells of every request that ended since this was last called.
    mutating func take(_ observe: (Observation) -> Void) {
        for observation in observations { observe(observation) }
        observations.removeAll(keepingCapacity: true)
    }

    // MARK: Queries

    package func outbound(_ operation: OperationCode) -> UInt64 { begun[operation.index] }
    package func inbound(_ operation: OperationCode) -> UInt64 { accepted[operation.index] }

    /// Requests of ours that ended so, by bucket: one more than there are ``bounds``.
    package func buckets(_ operation: OperationCode, _ outcome: Outcome) -> [UInt64] {
        let start = Self.start(operation, outcome)
        return Array(ended[start..<start + Self.bucketCount])
    }

    private static func start(_ operation: OperationCode, _ outcome: Outcome) -> Int {
        (operation.index * Outcome.allCases.count + outcome.rawValue) * bucketCount
    }
}

extension OperationCode {
    /// Its place among all of them.
    fileprivate var index: Int {
        switch self {
        case .ping: 0
        case .findNode: 1
        case .findValue: 2
        case .store: 3
        case .findChunk: 4
        case .passOn: 5
        case .findRoster: 6
        case .join: 7
        }
    }
}
