/// Requests of ours that are not answered yet, what each was for, and which peers are late.
///
/// The node begins a call under a fresh name. The driver tells that it is overdue, and in the end that it
/// was answered, failed or dropped: ``end(_:)`` hands back what it was for, once.
struct OutstandingCalls: Sendable {
    struct Call: Sendable {
        let contact: Contact
        let purpose: KademliaNode.Purpose
    }

    private var calls: [CallID: Call] = [:]
    /// Peers whose answer to some call is overdue.
    private var late: Set<Identity> = []
    private(set) var counters = FailureDetectorCounters()

    var isEmpty: Bool { calls.isEmpty }

    subscript(name: CallID) -> Call? { calls[name] }

    mutating func begin(_ name: CallID, _ contact: Contact, _ purpose: KademliaNode.Purpose) {
        calls[name] = Call(contact: contact, purpose: purpose)
        counters.requests += 1
    }

    /// The call is over, one way or the other.
    mutating func end(_ name: CallID) -> Call? {
        guard let call = calls.removeValue(forKey: name) else { return nil }
        if !late.isEmpty { late.remove(call.contact.identity) }
        return call
    }

    /// The calls to a peer that are not over, in the order in which they began.
    func names(to peer: Identity) -> [CallID] {
        calls.filter { $0.value.contact.identity == peer }.keys.sorted()
    }

    /// The answer is overdue.
    mutating func delay(_ name: CallID) -> Call? {
        guard let call = calls[name] else { return nil }
        late.insert(call.contact.identity)
        counters.overdue += 1
        return call
    }

    /// The peer said that it needs more time: it is not late.
    mutating func extend(_ name: CallID) {
        if let call = calls[name] { late.remove(call.contact.identity) }
    }

    /// A contact did not answer, and was of this grade before.
    mutating func count(_ failure: RoutingTable.Failure, of grade: Reachability.Grade?) {
        counters.record(failure, of: grade)
    }

    func isLate(_ peer: Identity) -> Bool { late.contains(peer) }
}
