import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage

@testable import DHTSimulator

/// One node of an ``Overlay``: its engine, within reach of tests, is the machine that the world drives.
final class Host {
    let node: SimulatedNode
    private unowned let overlay: Overlay
    /// Of the process that runs, or ran last.
    var engine: Engine
    /// What it answers to a request in the place of what an honest node would; `nil`: nothing at all.
    var lie: ((Request, Identity) -> Response?)?
    /// The store takes work and never completes it.
    var isStoreStuck = false
    /// What the wall clock says, in milliseconds, whatever it ought to.
    var wall: UInt64?
    /// Where it is told that each of its seeds is, whatever is true.
    var seedEndpoints: [Endpoint]?
    private(set) var outcomes: [OperationID: Outcome] = [:]
    /// Of values that are read piece by piece.
    private(set) var pieces: [OperationID: [[UInt8]]] = [:]

    init(_ node: SimulatedNode, of overlay: Overlay, engine: consuming Engine) {
        self.node = node
        self.overlay = overlay
        self.engine = engine
    }

    var index: Int { node.index }
    var identity: Identity { node.identity }
    var id: NodeID { node.id }
    var endpoint: Endpoint { node.endpoint }
    var contact: Contact { node.contact }
    /// Dead hosts hear and do nothing.
    var isAlive: Bool { node.isUp }
    /// What its disk was told of revisions that it signed.
    var revisions: [NodeID: OwnRevisions] { node.disk.revisions }
    var store: MemoryRecordStore {
        get { node.disk.store }
        set { node.disk.store = newValue }
    }
    /// What the wall clock is wrong by, in milliseconds.
    var clockError: Int64 {
        get { node.clockError }
        set { node.clockError = newValue }
    }

    /// Begins anew as a process of its own.
    func restart(_ engine: consuming Engine, seeds: [Int]) {
        self.engine = engine
        outcomes = [:]
        node.incarnation += 1
        node.seeds = seeds
    }

    /// Lets something happen to the engine, at the time by this host's clocks, and looks at what it wants.
    func attend<Result>(_ turn: inout EngineTurn, _ body: (inout EngineTurn) -> Result) -> Result {
        var own = EngineTurn(at: overlay.now(at: self))
        let result = body(&own)
        turn.actions += own.actions.filter { concernsWorld($0) }
        return result
    }

    /// Whether the world is to perform an action, once this host has kept of it what tests ask for.
    private func concernsWorld(_ action: EngineAction) -> Bool {
        switch action {
        case .load, .loadPart, .apply, .importPiece: return !isStoreStuck
        case .transmit(let outgoing, let destination):
            guard let datagram = engine.gate.finish(outgoing) else { return false }
            overlay.wiretap?(datagram, endpoint, destination)
            overlay.record(datagram, from: endpoint, to: destination)
        case .piece(let operation, let bytes):
            pieces[operation, default: []].append(bytes)
            return false
        case .finished(let operation, let outcome):
            precondition(outcomes[operation] == nil, "\(operation) ended twice")
            outcomes[operation] = outcome
        case .survey, .resolve, .retry, .signed, .adopted, .conflicting: break
        }
        return true
    }
}

extension Host: AnyEngine {
    var core: KademliaNode { engine.core }
    var table: RoutingTable { engine.core.table }
    var counters: Counters { engine.counters }
    var proofsOfLife: UInt64 { engine.counters.answers + engine.counters.proofs }
    var admission: AdmissionPolicy { engine.gate.admission }
    var nextDeadline: Instant? { engine.nextDeadline }
    var callsInFlight: Int { engine.callsInFlight }
    var bounds: [Bound] { engine.bounds }

    func receive(_ datagram: [UInt8], from source: Endpoint, in turn: inout EngineTurn) -> Disposition {
        attend(&turn) { turn in
            lie == nil
                ? engine.receive(datagram, from: source, in: &turn)
                : answerFalsely(datagram, from: source, in: &turn)
        }
    }

    func finish(_ outgoing: Outgoing) -> [UInt8]? { engine.gate.finish(outgoing) }

    func submit(_ operation: DHTEngine.Operation, as name: OperationID, in turn: inout EngineTurn) {
        attend(&turn) { engine.submit(operation, as: name, in: &$0) }
    }

    func cancel(_ name: OperationID, in turn: inout EngineTurn) {
        attend(&turn) { engine.cancel(name, in: &$0) }
    }

    func complete(_ ticket: Ticket, with outcome: StorageOutcome, in turn: inout EngineTurn) {
        attend(&turn) { engine.complete(ticket, with: outcome, in: &$0) }
    }

    func setSeeds(_ identities: [Identity], in turn: inout EngineTurn) {
        attend(&turn) { engine.setSeeds(identities, in: &$0) }
    }

    func resolved(seed: Int, _ endpoints: [Endpoint], in turn: inout EngineTurn) {
        attend(&turn) { engine.resolved(seed: seed, seedEndpoints ?? endpoints, in: &$0) }
    }

    func advance(in turn: inout EngineTurn) { attend(&turn) { engine.advance(in: &$0) } }

    func replaceAdmission(_ policy: AdmissionPolicy, in turn: inout EngineTurn) {
        attend(&turn) { engine.replaceAdmission(policy, in: &$0) }
    }

    func publish(_ roster: Roster, in turn: inout EngineTurn) {
        attend(&turn) { _ = engine.publish(roster, in: &$0) }
    }

    func restore(_ content: StoredContent, at _: Now) { engine.restore(content, at: overlay.now(at: self)) }

    func restore(_ record: Record) -> Bool {
        precondition(engine.restore(record), "a kept record is no good")
        return true
    }

    /// Does nothing: of what a node keeps besides its records tests tell the engine themselves.
    func remember(_ contacts: [(Identity, Endpoint)], _ revisions: [NodeID: OwnRevisions]) {}
}

extension AdmissionPolicy {
    /// These may speak and, but for the readers, write.
    static func list(_ members: [Identity], readers: Set<Identity> = []) -> AdmissionPolicy {
        let lines = members.enumerated().map { index, member in
            "\(member.text) node-\(index)\(readers.contains(member) ? " write=no" : "")"
        }
        do {
            return .members(try Allowlist(parsing: lines.joined(separator: "\n"), file: "test.allow"))
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
