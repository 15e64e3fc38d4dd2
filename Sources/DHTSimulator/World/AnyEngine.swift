import DHTCore
import DHTEngine
import DHTEnvelope

/// An engine as the world sees it, whatever its gate.
protocol AnyEngine: AnyObject {
    var core: KademliaNode { get }
    var counters: Counters { get }
    var admission: AdmissionPolicy { get }
    var nextDeadline: Instant? { get }
    var callsInFlight: Int { get }
    /// The collections that the network can make grow, their sizes and their limits.
    var bounds: [Bound] { get }

    func receive(
        _ datagram: [UInt8],
        from endpoint: Endpoint,
        at now: Now,
        into actions: inout [EngineAction]
    ) -> Disposition
    func submit(
        _ operation: DHTEngine.Operation,
        as name: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    )
    func cancel(_ name: OperationID, at now: Now, into actions: inout [EngineAction])
    func complete(
        _ ticket: Ticket,
        with outcome: StorageOutcome,
        at now: Now,
        into actions: inout [EngineAction]
    )
    func setSeeds(_ identities: [Identity], at now: Now, into actions: inout [EngineAction])
    func resolved(seed: Int, _ endpoints: [Endpoint], at now: Now, into actions: inout [EngineAction])
    func replaceAdmission(_ policy: AdmissionPolicy)
    func restore(_ record: Record) -> Bool
    func restore(_ content: StoredContent, at now: Now)
    func remember(_ contacts: [(Identity, Endpoint)], _ revisions: [NodeID: Revision])
    func advance(to now: Now, into actions: inout [EngineAction])
}

/// The very engine that a real node runs, behind a gate of some kind.
final class SimulatedEngine<Keeper: Gatekeeper & ~Copyable>: AnyEngine {
    private var engine: GatedEngine<Keeper>

    init(_ engine: consuming GatedEngine<Keeper>) { self.engine = engine }

    var core: KademliaNode { engine.core }
    var counters: Counters { engine.counters }
    var admission: AdmissionPolicy { engine.gate.admission }
    var nextDeadline: Instant? { engine.nextDeadline }
    var callsInFlight: Int { engine.callsInFlight }
    var bounds: [Bound] { engine.bounds }

    func receive(
        _ datagram: [UInt8],
        from endpoint: Endpoint,
        at now: Now,
        into actions: inout [EngineAction]
    ) -> Disposition {
        engine.receive(datagram, from: endpoint, at: now, into: &actions)
    }

    func submit(
        _ operation: DHTEngine.Operation,
        as name: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        engine.submit(operation, as: name, at: now, into: &actions)
    }

    func cancel(_ name: OperationID, at now: Now, into actions: inout [EngineAction]) {
        engine.cancel(name, at: now, into: &actions)
    }

    func complete(
        _ ticket: Ticket,
        with outcome: StorageOutcome,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        engine.complete(ticket, with: outcome, at: now, into: &actions)
    }

    func setSeeds(_ identities: [Identity], at now: Now, into actions: inout [EngineAction]) {
        engine.setSeeds(identities, at: now, into: &actions)
    }

    func resolved(seed: Int, _ endpoints: [Endpoint], at now: Now, into actions: inout [EngineAction]) {
        engine.resolved(seed: seed, endpoints, at: now, into: &actions)
    }

    func replaceAdmission(_ policy: AdmissionPolicy) { engine.replaceAdmission(policy) }
    func restore(_ record: Record) -> Bool { engine.restore(record) }
    func restore(_ content: StoredContent, at now: Now) { engine.restore(content, at: now) }

    func remember(_ contacts: [(Identity, Endpoint)], _ revisions: [NodeID: Revision]) {
        engine.remember(contacts)
        engine.remember(revisions)
    }

    func advance(to now: Now, into actions: inout [EngineAction]) { engine.advance(to: now, into: &actions) }
}
