import DHTCore
import DHTEnvelope

/// One event of ``ContentTransfers``: what it may look at of the node, and what is to be done after it.
struct ContentTurn {
    /// A step that is to be done, in order. The machine may be told of the outcome of a step at once, as a
    /// new event: no step waits for another one's outcome.
    enum Step: Sendable {
        case perform(EngineAction)
        /// A request for a chunk; ``ContentTransfers/chunkAnswered(_:_:_:)`` or
        /// ``ContentTransfers/chunkFailed(_:_:)`` tells how it went.
        case ask(CallID, Contact, Request)
        /// For the answer to a request nobody waits any more.
        case drop(CallID)
        case reply(RequestID, Response)
        /// Changes that waited for content cannot be made: the core is told.
        case applied(Ticket, KademliaNode.StoreOutcome)
        /// A member committed an offence.
        case report(Conduct.Offence, of: Identity)
        /// The content of a put is in our store.
        case imported(OperationID, Operation.Put)
        /// A put is over before anything was signed for it. The refusal is for its user; `nil`: none waits.
        case givenUp(OperationID, Operation.Put, Response.Refusal?)
    }

    let now: Now
    let identity: Identity
    let table: RoutingTable
    let catalog: Catalog
    /// The last revisions of ours, by location.
    let revisions: [NodeID: OwnRevisions]
    private(set) var steps: [Step] = []

    init(
        at now: Now,
        identity: Identity,
        table: RoutingTable,
        catalog: Catalog,
        revisions: [NodeID: OwnRevisions]
    ) {
        (self.now, self.identity, self.table) = (now, identity, table)
        (self.catalog, self.revisions) = (catalog, revisions)
    }

    mutating func take(_ step: Step) { steps.append(step) }

    mutating func perform(_ action: EngineAction) { take(.perform(action)) }

    mutating func report(_ offence: Conduct.Offence, of peer: Identity) { take(.report(offence, of: peer)) }

    mutating func reply(_ id: RequestID, _ response: Response) { take(.reply(id, response)) }
}
