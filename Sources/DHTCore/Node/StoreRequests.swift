/// The purpose of a ticket's outcome.
enum StoreRequest: Hashable, Sendable {
    case answerInbound(RequestID, location: NodeID, author: Identity?, Page, requester: Contact)
    case answerConflict(RequestID)
    case keep(Record, displaced: Catalog.Entry?, evicted: [Catalog.Located])
    case readOwn(SearchID)
    case tellConflict(OperationID)
    case replicate(RepairQueue.Repair)
    case sweep

    /// Whether the request changes what is stored.
    var isWrite: Bool {
        switch self {
        case .keep, .sweep: true
        case .answerInbound, .answerConflict, .readOwn, .tellConflict, .replicate: false
        }
    }
}

/// A party that waits until the store has a record.
enum WriteWaiter: Hashable, Sendable {
    case inbound(RequestID)
    case operation(OperationID)
}

/// The requests that the store has not answered, the records that it does not have yet, and the parties that
/// wait for each of these.
///
/// The node begins a request under a fresh ticket, and hands the store's answer to ``endRead(_:found:)`` or
/// ``endWrite(_:)``, once for each ticket; what these return is to be acted upon.
struct StoreRequests: Sendable {
    private var requests: [Ticket: StoreRequest] = [:]
    /// The entries of the records that the store ought to bring, for each ticket that asks it to read.
    private var expected: [Ticket: [Catalog.Located]] = [:]
    /// The waiters for each record that the catalog has and the store does not yet.
    private var waiters: [Digest: [WriteWaiter]] = [:]

    var isEmpty: Bool { requests.isEmpty }

    subscript(ticket: Ticket) -> StoreRequest? { requests[ticket] }

    // MARK: Reading

    /// The store is asked to read. `entries`: what the catalog says is there.
    mutating func beginRead(_ request: StoreRequest, as ticket: Ticket, expecting entries: [Catalog.Located])
    {
        requests[ticket] = request
        expected[ticket] = entries.filter { waiters[$0.entry.digest] == nil }
    }

    /// The store read. `found`: digests of the records it has; `nil`: it could not. Returns the request of
    /// the ticket, and the lost entries, which were to be there and are not on their way; `nil`: the ticket
    /// is unknown.
    mutating func endRead(
        _ ticket: Ticket,
        found: Set<Digest>?
    ) -> (request: StoreRequest, lost: [Catalog.Located])? {
        guard let request = requests.removeValue(forKey: ticket) else { return nil }
        let expected = expected.removeValue(forKey: ticket) ?? []
        guard let found else { return (request, []) }
        let lost = expected.filter { !found.contains($0.entry.digest) && waiters[$0.entry.digest] == nil }
        return (request, lost)
    }

    // MARK: Writing

    /// The store is asked to remove records that the catalog does not name any more.
    mutating func beginSweep(as ticket: Ticket) { requests[ticket] = .sweep }

    /// The store is asked to keep a record.
    mutating func beginWrite(
        _ record: Record,
        displacing displaced: Catalog.Entry?,
        _ evicted: [Catalog.Located],
        for waiter: WriteWaiter?,
        as ticket: Ticket
    ) {
        waiters[record.digest, default: []] += waiter.map { [$0] } ?? []
        requests[ticket] = .keep(record, displaced: displaced, evicted: evicted)
    }

    /// Whether the record is on its way to the store; then the party waits for it too.
    mutating func join(_ record: Record, _ waiter: WriteWaiter) -> Bool {
        guard waiters[record.digest] != nil else { return false }
        waiters[record.digest]?.append(waiter)
        return true
    }

    /// The store wrote, or could not. Returns the request of the ticket, and its waiters; `nil`: the ticket
    /// is unknown.
    mutating func endWrite(_ ticket: Ticket) -> (request: StoreRequest, waiters: [WriteWaiter])? {
        guard let request = requests.removeValue(forKey: ticket) else { return nil }
        guard case .keep(let record, _, _) = request else { return (request, []) }
        return (request, waiters.removeValue(forKey: record.digest) ?? [])
    }

    /// A record could not be kept. Others on their way that displaced it displace the entry that stood before
    /// it.
    mutating func withdraw(_ record: Record, standing displaced: Catalog.Entry?) {
        for (ticket, request) in requests {
            guard case .keep(let later, let failed?, let others) = request,
                failed.digest == record.digest, later.location == record.location
            else { continue }
            requests[ticket] = .keep(later, displaced: displaced, evicted: others)
        }
    }
}
