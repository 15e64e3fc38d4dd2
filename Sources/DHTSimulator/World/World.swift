import DHTCore
import DHTEngine
import DHTEnvelope
import DHTStorage

/// Engines on a virtual network under one virtual clock: every run of one plan is the same run.
///
/// It drives the very engines that real nodes run, and performs their actions as `NodeLoop` does, in order.
/// The faults of network, disks and clocks are drawn from the plan's seed.
package final class World {
    /// A datagram that arrives.
    struct Delivery {
        let bytes: [UInt8]
        let source: Endpoint
        let sender: Int32
        let receiver: Int32
        let port: UInt16
        /// The sender admitted the receiver's owner when it sent.
        let isAdmitted: Bool
        /// Of the transmission: doubled and replayed datagrams have one.
        let serial: UInt64
    }

    /// Something that a disk was asked to do.
    enum DiskWork {
        case load(Ticket, location: NodeID, authors: [Identity])
        case loadPart(Ticket, of: Digest, ContentPart)
        case survey(Ticket)
        case apply(Ticket, [RecordChange])
    }

    enum Event {
        case delivery(Delivery)
        case timer(node: Int32, incarnation: Int32)
        case disk(node: Int32, incarnation: Int32, DiskWork)
        case script(Int)
    }

    /// An operation that has not ended.
    private struct UnderWay {
        let node: Int
        let incarnation: Int32
        let startedAt: Instant
        /// Longer it must not take, whatever the network does.
        let end: Interval
        /// Longer it must not take where no line is bad.
        let limit: Interval?
        let then: (Outcome) -> Void
    }

    /// Datagrams and bytes that went over the network.
    struct Traffic {
        var datagrams: UInt64 = 0
        var bytes: UInt64 = 0
        var lost: UInt64 = 0
    }

    /// The wall clock at the origin of the monotonic one: Unix milliseconds.
    static let epoch: UInt64 = 1_750_000_000_000
    /// Node *i* lives at this IPv4 address and *i* more, or at the IPv6 address that ends so.
    static let firstAddress: UInt32 = 0x0A00_0001

    package let plan: WorldPlan
    package internal(set) var clock = Instant(nanoseconds: 0)
    var nodes: [SimulatedNode] = []
    var byIdentity: [Identity: Int] = [:]
    var queue = EventQueue<Event>()
    var conditions: NetworkConditions
    var trace = Trace()
    var traffic = Traffic()
    /// How often any disk failed at what it was asked.
    var diskFailures = 0
    var violations: [Violation] = []
    /// One way that is blocked, as sender and receiver.
    var blocked: Set<[Int32]> = []
    /// Datagrams that somebody on the wire kept.
    var captured: [Delivery] = []
    var captures = false
    /// The most that any wall clock was ever wrong by, in milliseconds.
    var largestClockError: Int64 = 0
    /// The fate of datagrams.
    var chance: SeededRandom
    let networkSeed: [UInt8]
    let collusion = Collusion()
    /// Whether operations of honest nodes must end soon, and nobody is given anything without end: nothing is
    /// amiss but that some members lie.
    var promisesHaste = false
    /// A get may take this long then, and a put so much longer than its value takes.
    var patienceOfGets = Interval.seconds(15)
    var patienceOfPuts = Interval.seconds(60)
    var gifts = Gifts()
    var copyLedger = CopyLedger()
    var tables: [RoutingTable] = []
    /// Signs rosters, where there are such.
    var office: RosterOffice?
    private var scripts: [Int: () -> Void] = [:]
    private var nextScript = 0
    private var waiting: [OperationID: UnderWay] = [:]
    private var nextOperation: UInt64 = 0
    private static let violationLimit = 50

    package init(_ plan: WorldPlan) {
        self.plan = plan
        conditions = plan.conditions
        chance = SeededRandom(seed: SeededRandom.mix(plan.seed))
        networkSeed = chance.bytes(32)
        populate()
    }

    // MARK: Time

    /// Calls `body` at a moment, or now if that is past.
    func at(_ moment: Instant, _ body: @escaping () -> Void) {
        nextScript += 1
        scripts[nextScript] = body
        queue.insert(.script(nextScript), at: max(moment, clock))
    }

    func after(_ span: Interval, _ body: @escaping () -> Void) { at(clock + span, body) }

    /// Lets time pass until `end`.
    package func run(until end: Instant) {
        run(until: end) { false }
        clock = max(clock, end)
    }

    package func run(for span: Interval) { run(until: clock + span) }

    /// Drops pending events: their closures retain the world.
    func end() {
        queue = EventQueue()
        office = nil
        scripts = [:]
        waiting = [:]
    }

    /// Lets time pass until `isDone` or `end`, whichever is first; tells whether it was the former.
    @discardableResult
    func run(until end: Instant, or isDone: () -> Bool) -> Bool {
        while !isDone() {
            guard let next = queue.nextTime, next <= end, let (at, event) = queue.popFirst() else {
                return false
            }
            precondition(at >= clock, "time goes back from \(clock) to \(at)")
            clock = at
            process(event)
        }
        return true
    }

    private func process(_ event: Event) {
        switch event {
        case .delivery(let delivery): deliver(delivery)
        case .timer(let index, let incarnation):
            let node = nodes[Int(index)]
            guard node.incarnation == incarnation, node.timer == clock, node.isUp else { return }
            node.timer = nil
            trace.record(clock, 1 << 56 | UInt64(index))
            act(node) { machine, turn in machine.advance(in: &turn) }
        case .disk(let index, let incarnation, let work):
            let node = nodes[Int(index)]
            guard node.incarnation == incarnation, node.isUp else { return }
            trace.record(clock, 2 << 56 | UInt64(index))
            var turn = EngineTurn(at: now(of: node))
            finish(work, of: node, in: &turn)
            perform(&turn, of: node)
        case .script(let number):
            trace.record(clock, 3 << 56)
            scripts.removeValue(forKey: number)?()
        }
    }

    /// The time by a node's two clocks.
    func now(of node: SimulatedNode) -> Now {
        let wall = Int64(Self.epoch) + Int64(clock.nanoseconds / 1_000_000) + node.clockError
        return Now(instant: clock + node.clockOrigin, unixMilliseconds: UInt64(max(wall, 0)))
    }

    // MARK: Actions

    /// Lets something happen to a node's engine, and performs what it wants.
    func act(_ node: SimulatedNode, _ body: (any AnyEngine, inout EngineTurn) -> Void) {
        guard let machine = node.machine else { return }
        var turn = EngineTurn(at: now(of: node))
        body(machine, &turn)
        perform(&turn, of: node)
    }

    private func perform(_ turn: inout EngineTurn, of node: SimulatedNode) {
        var next = 0
        while next < turn.actions.count {
            let action = turn.actions[next]
            next += 1
            switch action {
            case .transmit(let outgoing, let destination):
                guard let datagram = node.machine?.finish(outgoing) else { break }
                send(datagram, from: node, to: destination)
            case .load(let ticket, let location, let authors):
                ask(node, .load(ticket, location: location, authors: authors), in: &turn)
            case .loadPart(let ticket, let content, let part):
                ask(node, .loadPart(ticket, of: content, part), in: &turn)
            case .survey(let ticket): ask(node, .survey(ticket), in: &turn)
            case .apply(let ticket, let changes): ask(node, .apply(ticket, changes), in: &turn)
            case .importPiece(let ticket, let content, let index):
                guard let bytes = content.piece(index) else { preconditionFailure("a value without bytes") }
                let change = RecordChange.putPiece(bytes, index: index, of: content.reference.digest)
                ask(node, .apply(ticket, [change]), in: &turn)
            case .resolve(let seed):
                let endpoints = node.seeds.indices.contains(seed) ? nodes[node.seeds[seed]].endpoints : []
                node.machine?.resolved(seed: seed, endpoints, in: &turn)
            case .retry: break
            case .piece: preconditionFailure("a value came piece by piece that nobody reads so")
            case .signed(let revisions, let location): node.disk.revisions[location] = revisions
            case .finished(let operation, let outcome): finished(operation, outcome, at: node)
            case .adopted(let roster): adopted(roster, at: node)
            case .conflicting: break
            }
        }
        arm(node)
    }

    private func arm(_ node: SimulatedNode) {
        guard let machine = node.machine, let deadline = machine.nextDeadline else { return }
        let local = clock + node.clockOrigin
        let moment = deadline <= local ? clock : clock + deadline.since(local)
        if let timer = node.timer, timer <= moment { return }
        node.spins = moment == clock ? node.spins + 1 : 0
        precondition(node.spins < 100, "node \(node.index) is due at \(deadline), over and over")
        node.timer = moment
        queue.insert(.timer(node: Int32(node.index), incarnation: node.incarnation), at: moment)
    }

    private func deliver(_ delivery: Delivery) {
        let node = nodes[Int(delivery.receiver)]
        guard let machine = node.machine, node.port == delivery.port else { return }
        if node.cloggedUntil > clock {
            queue.insert(.delivery(delivery), at: node.cloggedUntil)
            return
        }
        node.spins = 0
        var turn = EngineTurn(at: now(of: node))
        let proofs = machine.proofsOfLife
        let disposition = machine.receive(delivery.bytes, from: delivery.source, in: &turn)
        let isAnswer = machine.proofsOfLife > proofs
        judge(disposition, isAnswer: isAnswer, of: delivery, at: node)
        perform(&turn, of: node)
    }

    // MARK: Operations

    /// Begins an operation at a node; `then` is told how it ended, unless the node dies first, or it is
    /// broken off.
    @discardableResult
    func submit(
        _ operation: DHTEngine.Operation,
        at node: SimulatedNode,
        then: @escaping (Outcome) -> Void
    ) -> OperationID {
        nextOperation += 1
        let name = OperationID.user(nextOperation)
        waiting[name] = UnderWay(
            node: node.index,
            incarnation: node.incarnation,
            startedAt: clock,
            end: Self.operationPatience + operation.readingTime,
            limit: patience(with: operation, of: node),
            then: then
        )
        trace.record(clock, 4 << 56 | UInt64(node.index), nextOperation)
        act(node) { machine, turn in
            machine.submit(operation, as: name, in: &turn)
        }
        return name
    }

    /// The user who began an operation wants it no more.
    func cancel(_ operation: OperationID) {
        guard let entry = waiting.removeValue(forKey: operation) else { return }
        let node = nodes[entry.node]
        guard node.isUp, node.incarnation == entry.incarnation else { return }
        trace.record(clock, 6 << 56 | UInt64(node.index), operation.number)
        act(node) { machine, turn in machine.cancel(operation, in: &turn) }
    }

    /// Whether no operation is under way.
    var isIdle: Bool { waiting.isEmpty }

    private func patience(with operation: DHTEngine.Operation, of node: SimulatedNode) -> Interval? {
        guard promisesHaste, node.isHonest else { return nil }
        return operation.patience(get: patienceOfGets, put: patienceOfPuts)
    }

    /// The honest nodes whose operations have not ended when they ought to have; each is told of once.
    func overdueOperations() -> [Int] {
        var overdue: [Int] = []
        for name in waiting.keys.sorted() {
            guard let entry = waiting[name], clock.since(entry.startedAt) > entry.end else { continue }
            let node = nodes[entry.node]
            // A liar's value may be long, and be wanted for as long by another.
            let isPromised = node.isUp && node.adversary == nil
            if isPromised, node.incarnation == entry.incarnation { overdue.append(entry.node) }
            waiting[name] = nil
        }
        return overdue
    }

    private func finished(_ operation: OperationID, _ outcome: Outcome, at node: SimulatedNode) {
        guard let entry = waiting.removeValue(forKey: operation) else { return }
        trace.record(clock, 5 << 56 | UInt64(node.index), outcome.summary)
        trace.tell(clock) { "n\(node.index) operation \(operation.number): \(outcome.text)" }
        let took = clock.since(entry.startedAt)
        if let limit = entry.limit, took > limit {
            violate(
                "patience",
                "n\(node.index) waited \(took.seconds) s, not \(limit.seconds), until: \(outcome.text)"
            )
        }
        entry.then(outcome)
    }

    // MARK: Promises

    /// Notes that a promise was broken.
    func violate(_ checker: String, _ text: String) {
        guard violations.count < Self.violationLimit else { return }
        trace.tell(clock) { "VIOLATION \(checker): \(text)" }
        violations.append(Violation(at: clock.nanoseconds, checker: checker, text: text))
    }
}
