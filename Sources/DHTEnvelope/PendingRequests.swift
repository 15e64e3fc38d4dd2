import DHTCore

/// Requests that await an answer: by transaction, and by whom and where they went.
struct PendingRequests: Sendable {
    /// Responses that may cost a public-key operation in vain while a request is pending, before answers to
    /// it are no longer looked at.
    static let failureLimit = 3

    struct Pending: Sendable {
        var peer: Identity
        var endpoint: Endpoint
        var request: Request
        /// Of the signed input of each transmission, the latest first: an answer may be to any.
        var digests: [[UInt8]]
        /// Responses from there that failed since the request was first sent.
        var failures = 0
    }

    private struct Exchange: Hashable {
        var peer: Identity
        var endpoint: Endpoint
    }

    private var byTransaction: [UInt64: Pending] = [:]
    private var transactions: [Exchange: [UInt64]] = [:]

    var count: Int { byTransaction.count }

    subscript(transaction: UInt64) -> Pending? { byTransaction[transaction] }

    /// Adds a transmission; the first one of a transaction opens it.
    mutating func sent(
        _ transaction: UInt64,
        to peer: Identity,
        at endpoint: Endpoint,
        _ request: Request,
        digest: [UInt8]
    ) {
        if byTransaction[transaction] != nil {
            byTransaction[transaction]?.digests.insert(digest, at: 0)
        } else {
            byTransaction[transaction] = Pending(
                peer: peer,
                endpoint: endpoint,
                request: request,
                digests: [digest]
            )
            transactions[Exchange(peer: peer, endpoint: endpoint), default: []].append(transaction)
        }
    }

    /// Whether an answer from there is awaited and still looked at.
    func awaitsAnswer(from peer: Identity, at endpoint: Endpoint) -> Bool {
        (transactions[Exchange(peer: peer, endpoint: endpoint)] ?? []).contains { transaction in
            byTransaction[transaction].map { $0.failures < Self.failureLimit } ?? false
        }
    }

    /// Counts a response in vain against all that is pending there: nothing says to which it was meant.
    mutating func failed(from peer: Identity, at endpoint: Endpoint) {
        for transaction in transactions[Exchange(peer: peer, endpoint: endpoint)] ?? [] {
            byTransaction[transaction]?.failures += 1
        }
    }

    /// The transaction is over, answered or given up.
    mutating func close(_ transaction: UInt64) {
        guard let pending = byTransaction.removeValue(forKey: transaction) else { return }
        let exchange = Exchange(peer: pending.peer, endpoint: pending.endpoint)
        transactions[exchange]?.removeAll { $0 == transaction }
        if transactions[exchange]?.isEmpty == true { transactions[exchange] = nil }
    }
}
