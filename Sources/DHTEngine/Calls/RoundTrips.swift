import DHTCore

/// How long peers take to answer: each of them, all together, and all of them to writes.
struct RoundTrips: Sendable {
    /// Peers whose estimates are remembered, besides contacts.
    static let capacity = 8192

    private var estimators: [Identity: RoundTripEstimator] = [:]
    /// The estimate of all peers together: it follows how busy we and the network are, where some were asked
    /// long ago.
    private var common = RoundTripEstimator()
    /// Of answers to writes, all peers' together.
    private var writes = RoundTripEstimator()

    var count: Int { estimators.count }

    /// The smoothed round-trip time to a peer.
    func smoothed(to peer: Identity) -> Interval? { estimators[peer]?.smoothed }

    /// How long until a request is overdue, and until it is sent again.
    func waits(
        for request: Request,
        to peer: Identity,
        transmission: Int
    ) -> (patience: Interval, timeout: Interval) {
        let estimator = estimators[peer] ?? RoundTripEstimator()
        // Where all are busy, one that was asked when they were not is busy, too. But one that is slow on
        // purpose makes us wait for others no longer than for one we do not know.
        let usual = min(
            common.timeout(transmission: transmission),
            RoundTripEstimator().timeout(transmission: transmission)
        )
        let timeout = max(estimator.timeout(transmission: transmission), usual)
        // A disk takes its time, which says nothing of the line; and a copy too many is dearer than a look.
        if request.isWrite {
            let whole = writes.smoothed == nil ? timeout : writes.timeout(transmission: transmission)
            return (max(timeout, whole), max(timeout, whole))
        }
        // A peer that takes longer than peers do at present is overdue, however slow it was when last asked.
        return (min(estimator.patience, common.patience), timeout)
    }

    /// A peer answered after `wait`: an answer says which transmission it is to, so that none is too
    /// ambiguous to count (as Karn has it for TCP).
    mutating func answered(_ request: Request, by peer: Identity, after wait: Interval) {
        // How long others take says nothing of the peer's line.
        if request.operation == .passOn { return }
        if request.isWrite {
            writes.sample(wait)
        } else {
            estimators[peer, default: RoundTripEstimator()].sample(wait)
            common.sample(wait)
        }
    }

    /// Whether there are more than ``capacity``: all but the contacts' are to be forgotten.
    var isFull: Bool { estimators.count > Self.capacity }

    mutating func forget(allBut contacts: Set<Identity>) {
        estimators = estimators.filter { contacts.contains($0.key) }
    }
}
