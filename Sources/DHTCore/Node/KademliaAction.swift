/// Names a request of ours from when it is asked for until it is answered or has failed.
package enum CallID: Hashable, Comparable, Sendable {
    case core(UInt64)
    /// A request for a chunk of a long value: none of the core's business.
    case content(UInt64)
    /// A request about rosters: none of the core's business either.
    case roster(UInt64)
}

/// Names a request of somebody else's until it is answered. Given by the driver.
package struct RequestID: Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Names work for the store until it is complete.
package enum Ticket: Hashable, Sendable {
    case core(UInt64)
    /// Work on the pieces of long values.
    case content(UInt64)
}

package typealias KademliaTurn = Turn<KademliaAction>

/// An action that the core wants done. The driver performs actions in order.
package enum KademliaAction: Hashable, Sendable {
    /// Ask the contact; then tell `answered`, or `overdue` and later `answered` or `failed`.
    /// `isConfigured`: the address is the operator's word, not a hint.
    case call(CallID, Contact, Request, isConfigured: Bool)
    /// Answer an inbound request.
    case reply(RequestID, Response)
    /// Read what these authors have at a location; then tell `loaded`.
    case load(Ticket, location: NodeID, authors: [Identity])
    /// Make changes durable; then tell `applied`.
    case apply(Ticket, [RecordChange])
    /// Find the addresses of a seed; then tell `resolved`.
    case resolve(seed: Int)
    /// There is reason to try this address, though the system may have refused it lately.
    case retry(Endpoint)
    /// The operation is over.
    case finished(OperationID, KademliaOutcome)
}

/// An operation that a user may ask of the core.
package enum KademliaOperation: Hashable, Sendable {
    /// Keep a record of ours at the closest nodes. `copies`: as many are wanted at least.
    case put(Record, condition: Request.Condition?, copies: Int = 0)
    /// Read the records at a location. `isExhaustive`: every author's, not only the newest. `paths`: in the
    /// place of the node's setting.
    case get(location: NodeID, author: Identity?, replicas: Int, isExhaustive: Bool, paths: Int? = nil)
    /// Look for all records at a location, and tell what was asked of whom.
    case trace(location: NodeID)
    /// Ask one peer for a sign of life, looking it up if need be.
    case ping(Identity, id: NodeID)
    /// Hand over the records kept here, and say goodbye.
    case leave
}

/// How an operation ended.
package enum KademliaOutcome: Hashable, Sendable {
    case put(PutOutcome)
    case got(GetOutcome)
    /// The round-trip time; `nil` if there was no answer.
    case pinged(Interval?)
    case left
}
