import DHTCore

/// Requests that await an answer, by transaction.
struct PendingRequests: Sendable {
    /// Responses that may fail on one request under a box key nobody vouched for, and as many that may fail
    /// by their signatures under one that is known, before no more of that kind are looked at.
    static let failureLimit = 3

    /// One datagram of a request.
    struct Transmission: Hashable, Sendable {
        /// Of its signed input: the answer to it is signed over that.
        let digest: Digest
        let sent: Instant
    }

    struct Pending: Sendable {
        var peer: Identity
        var endpoint: Endpoint
        var request: Request
        /// The latest first: an answer may be to any.
        var transmissions: [Transmission]
        /// Responses that failed since the request was first sent.
        var failures = 0
        var forgeries = 0
    }

    private var byTransaction: [UInt64: Pending] = [:]

    var count: Int { byTransaction.count }

    subscript(transaction: UInt64) -> Pending? { byTransaction[transaction] }

    /// The request that somebody there may answer by this transaction id.
    func awaits(_ transaction: UInt64, from peer: Identity, at endpoint: Endpoint) -> Pending? {
        guard let pending = byTransaction[transaction], pending.peer == peer, pending.endpoint == endpoint
        else { return nil }
        return pending
    }

    /// Adds a transmission; the first one of a transaction opens it.
    mutating func sent(
        _ transaction: UInt64,
        to peer: Identity,
        at endpoint: Endpoint,
        _ request: Request,
        _ transmission: Transmission
    ) {
        if byTransaction[transaction] != nil {
            byTransaction[transaction]?.transmissions.insert(transmission, at: 0)
        } else {
            byTransaction[transaction] = Pending(
                peer: peer,
                endpoint: endpoint,
                request: request,
                transmissions: [transmission]
            )
        }
    }

    /// A response in vain, under a box key that is known or not.
    mutating func failed(_ transaction: UInt64, isKnown: Bool) {
        if isKnown {
            byTransaction[transaction]?.forgeries += 1
        } else {
            byTransaction[transaction]?.failures += 1
        }
    }

    /// The transaction is over, answered or given up.
    mutating func close(_ transaction: UInt64) { byTransaction[transaction] = nil }
}
