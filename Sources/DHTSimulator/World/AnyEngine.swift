import DHTCore
import DHTEngine
import DHTEnvelope

/// An engine as the world sees it, whatever its gate.
protocol AnyEngine: AnyObject {
    var core: KademliaNode { get }
    var table: RoutingTable { get }
    var counters: Counters { get }
    /// Of ``counters``: answers, and requests that were as good. Asked for at every datagram.
    var proofsOfLife: UInt64 { get }
    var admission: AdmissionPolicy { get }
    var nextDeadline: Instant? { get }
    var callsInFlight: Int { get }
    /// The collections that the network can make grow, their sizes and their limits.
    var bounds: [Bound] { get }

    func receive(_ datagram: [UInt8], from endpoint: Endpoint, in turn: inout EngineTurn) -> Disposition
    /// The bytes of a datagram that is to be sent; `nil` if it is lost.
    func finish(_ outgoing: Outgoing) -> [UInt8]?
    func submit(_ operation: DHTEngine.Operation, as name: OperationID, in turn: inout EngineTurn)
    func cancel(_ name: OperationID, in turn: inout EngineTurn)
    func complete(_ ticket: Ticket, with outcome: StorageOutcome, in turn: inout EngineTurn)
    func setSeeds(_ identities: [Identity], in turn: inout EngineTurn)
    func resolved(seed: Int, _ endpoints: [Endpoint], in turn: inout EngineTurn)
    func replaceAdmission(_ policy: AdmissionPolicy, in turn: inout EngineTurn)
    func publish(_ roster: Roster, in turn: inout EngineTurn)
    func restore(_ record: Record) -> Bool
    func restore(_ content: StoredContent, at now: Now)
    func remember(_ contacts: [(Identity, Endpoint)], _ revisions: [NodeID: OwnRevisions])
    func advance(in turn: inout EngineTurn)
}

/// The very engine that a real node runs, behind a gate of some kind.
final class SimulatedEngine<Keeper: Gatekeeper & ~Copyable>: AnyEngine {
    private var engine: GatedEngine<Keeper>

    init(_ engine: consuming GatedEngine<Keeper>) { self.engine = engine }

    var core: KademliaNode { engine.core }
    var table: RoutingTable { engine.core.table }
    var counters: Counters { engine.counters }
    var proofsOfLife: UInt64 { engine.counters.answers + engine.counters.proofs }
    var admission: AdmissionPolicy { engine.gate.admission }
    var nextDeadline: Instant? { engine.nextDeadline }
    var callsInFlight: Int { engine.callsInFlight }
    var bounds: [Bound] { engine.bounds }

    func receive(_ datagram: [UInt8], from endpoint: Endpoint, in turn: inout EngineTurn) -> Disposition {
        engine.receive(datagram, from: endpoint, in: &turn)
    }

    func finish(_ outgoing: Outgoing) -> [UInt8]? { engine.gate.finish(outgoing) }

    func submit(_ operation: DHTEngine.Operation, as name: OperationID, in turn: inout EngineTurn) {
        engine.submit(operation, as: name, in: &turn)
    }

    func cancel(_ name: OperationID, in turn: inout EngineTurn) {
        engine.cancel(name, in: &turn)
    }

    func complete(_ ticket: Ticket, with outcome: StorageOutcome, in turn: inout EngineTurn) {
        engine.complete(ticket, with: outcome, in: &turn)
    }

    func setSeeds(_ identities: [Identity], in turn: inout EngineTurn) {
        engine.setSeeds(identities, in: &turn)
    }

    func resolved(seed: Int, _ endpoints: [Endpoint], in turn: inout EngineTurn) {
        engine.resolved(seed: seed, endpoints, in: &turn)
    }

    func replaceAdmission(_ policy: AdmissionPolicy, in turn: inout EngineTurn) {
        engine.replaceAdmission(policy, in: &turn)
    }

    func publish(_ roster: Roster, in turn: inout EngineTurn) { _ = engine.publish(roster, in: &turn) }
    func restore(_ record: Record) -> Bool { engine.restore(record) }
    func restore(_ content: StoredContent, at now: Now) { engine.restore(content, at: now) }

    func remember(_ contacts: [(Identity, Endpoint)], _ revisions: [NodeID: OwnRevisions]) {
        engine.remember(contacts)
        engine.remember(revisions)
    }

    func advance(in turn: inout EngineTurn) { engine.advance(in: &turn) }
}
