import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage
@_exported import TestKit

import struct DHTSimulator.EventQueue

/// How the virtual network treats datagrams.
struct Weather {
    /// Milliseconds one way. Different delays reorder.
    var delays: ClosedRange<UInt64> = 5...40
    /// Datagrams lost, and delivered twice, of a thousand.
    var loss = 0
    var duplication = 0
}

/// A datagram on its way, as an observer of the whole network sees it.
struct Flight: Hashable {
    let sent: Instant
    let source: Endpoint
    let destination: Endpoint
    let length: Int
}

/// Engines on a virtual network with one virtual clock: every run with one seed is the same run.
///
/// Each host has an address of its own. Actions are performed as a shell would perform them, in order.
final class Overlay {
    enum Event {
        case delivery([UInt8], from: Endpoint, to: Endpoint)
        case timer(host: Int, incarnation: Int)
    }

    /// The wall clock at the origin of the monotonic one.
    static let epoch: UInt64 = 1_700_000_000_000

    private(set) var clock = Instant(nanoseconds: 1_000_000_000)
    private(set) var hosts: [Host] = []
    private(set) var flights: [Flight] = []
    var weather = Weather()
    var settings = KademliaNode.Settings()
    /// Hosts in one group hear each other; all are in group 0 at first.
    var groups: [Int: Int] = [:]
    /// Sees every datagram that is sent, with the addresses it goes from and to.
    var wiretap: (([UInt8], Endpoint, Endpoint) -> Void)?
    private var events = EventQueue<Event>()
    private var chance: SplitMix64
    private let networkSeed: [UInt8]
    private var nextOperation: UInt64 = 0

    /// `count` hosts, of which `outsiders` at the end are on nobody's list but their own, which lists all.
    init(_ count: Int, outsiders: Int = 0, readers: Set<Int> = [], seed: UInt64 = 1) {
        chance = SplitMix64(seed: seed)
        networkSeed = chance.bytes(32)
        let seeds = (0..<count).map { _ in chance.bytes(32) }
        let identities = seeds.map { Host.signingKey($0).identity }
        let readers = Set(readers.map { identities[$0] })
        let whole = AdmissionPolicy.list(identities, readers: readers)
        let inner = AdmissionPolicy.list(Array(identities.dropLast(outsiders)), readers: readers)
        for index in 0..<count {
            let isOutsider = index >= count - outsiders
            let policy = isOutsider ? whole : inner
            let endpoint = Endpoint(ipv4: 0x0A00_0001 + UInt32(index), port: 4000)
            let engine = makeEngine(
                seeds[index],
                policy,
                networkSeed: networkSeed
            )
            hosts.append(Host(index: index, seed: seeds[index], endpoint: endpoint, engine: engine))
            policies.append(policy)
        }
    }

    /// By host.
    private var policies: [AdmissionPolicy] = []

    private func makeEngine(
        _ seed: [UInt8],
        _ policy: AdmissionPolicy,
        networkSeed: [UInt8]
    ) -> Engine {
        let gate = makeGate(seed, policy, networkSeed: networkSeed)
        let identity = gate.identity
        let core = KademliaNode(
            identity: identity,
            id: identity.nodeID,
            settings: settings,
            generator: SplitMix64(seed: chance.next())
        )
        return Engine(gate: gate, core: core)
    }

    private func makeGate(
        _ seed: [UInt8],
        _ policy: AdmissionPolicy,
        networkSeed: [UInt8]
    ) -> Gate {
        let keys = KeyRing(signing: Host.signingKey(seed), network: Host.networkKey(networkSeed), at: clock)
        return Gate(
            keys: keys,
            admission: policy,
            entropy: SplitMix64(seed: chance.next()),
            at: clock
        )
    }

    /// A gate with a host's keys, for whoever speaks in its name with code of its own.
    func gate(of index: Int) -> Gate {
        makeGate(
            hosts[index].seed,
            policies[index],
            networkSeed: networkSeed
        )
    }

    subscript(index: Int) -> Host { hosts[index] }

    func now(at host: Host) -> Now {
        let wall = Int64(Self.epoch) + Int64(clock.nanoseconds / 1_000_000) + host.clockError
        return Now(instant: clock, unixMilliseconds: host.wall ?? UInt64(wall))
    }

    // MARK: Starting and stopping

    /// Starts a host as a fresh process that has whatever records its store holds.
    func start(_ index: Int, seeds: [Int] = [], networkSeed: [UInt8]? = nil) {
        let host = hosts[index]
        host.engine = makeEngine(
            host.seed,
            policies[index],
            networkSeed: networkSeed ?? self.networkSeed
        )
        host.isAlive = true
        host.incarnation += 1
        host.timer = nil
        host.outcomes = [:]
        host.seedEndpoints = seeds.map { hosts[$0].endpoint }
        host.store.forEach { record in precondition(host.engine.restore(record), "a kept record is no good") }
        for content in host.store.contents() { host.engine.restore(content, at: now(at: host)) }
        let identities = seeds.map { hosts[$0].identity }
        act(host) { engine, turn in engine.setSeeds(identities, in: &turn) }
    }

    func kill(_ index: Int) { hosts[index].isAlive = false }

    /// Moves a dead host to another port.
    func move(_ index: Int, toPort port: UInt16) {
        hosts[index].endpoint = Endpoint(ipv4: 0x0A00_0001 + UInt32(index), port: port)
    }

    func admit(_ policy: AdmissionPolicy, at index: Int) {
        policies[index] = policy
        act(hosts[index]) { engine, _ in engine.replaceAdmission(policy) }
    }

    // MARK: Time

    /// Lets `span` pass.
    func run(for span: Interval) {
        let end = clock + span
        run(until: end) { false }
        clock = end
    }

    /// Lets time pass until `isDone` or `end`, whichever is first; tells whether it was the former.
    @discardableResult
    func run(until end: Instant, or isDone: () -> Bool) -> Bool {
        while !isDone() {
            guard let next = events.nextTime, next <= end, let (at, event) = events.popFirst() else {
                return false
            }
            precondition(at >= clock, "time goes back from \(clock) to \(at)")
            clock = at
            switch event {
            case .delivery(let datagram, let source, let destination): deliver(datagram, source, destination)
            case .timer(let index, let incarnation):
                let host = hosts[index]
                guard host.isAlive, host.incarnation == incarnation, host.timer == at else { continue }
                host.timer = nil
                act(host) { engine, turn in engine.advance(in: &turn) }
            }
        }
        return true
    }

    private func deliver(_ datagram: [UInt8], _ source: Endpoint, _ destination: Endpoint) {
        guard let host = hosts.first(where: { $0.endpoint == destination && $0.isAlive }) else { return }
        host.spins = 0
        if host.lie != nil { return host.answerFalsely(datagram, from: source, on: self) }
        act(host) { engine, turn in engine.receive(datagram, from: source, in: &turn) }
    }

    // MARK: Actions

    /// Lets something happen to the engine and performs what it wants.
    func act(_ host: Host, _ body: (inout Engine, inout EngineTurn) -> Void) {
        var turn = EngineTurn(at: now(at: host))
        body(&host.engine, &turn)
        var next = 0
        while next < turn.actions.count {
            perform(turn.actions[next], of: host, in: &turn)
            next += 1
        }
        arm(host)
    }

    private func perform(_ action: EngineAction, of host: Host, in turn: inout EngineTurn) {
        switch action {
        case .load where host.isStoreStuck, .apply where host.isStoreStuck: break
        case .loadPart(let ticket, let content, let part):
            let outcome = StorageOutcome.part(host.store.part(part, of: content))
            host.engine.complete(ticket, with: outcome, in: &turn)
        case .survey(let ticket):
            let outcome = StorageOutcome.surveyed(host.store.unreferredContent())
            host.engine.complete(ticket, with: outcome, in: &turn)
        case .transmit(let datagram, let destination): send(datagram, from: host, to: destination)
        case .load(let ticket, let location, let authors):
            let found = host.store.records(at: location, by: authors)
            host.engine.complete(ticket, with: .loaded(found), in: &turn)
        case .apply(let ticket, let changes):
            var outcome = StorageOutcome.applied
            do { try host.store.apply(changes) } catch { outcome = error == .full ? .full : .unavailable }
            host.engine.complete(ticket, with: outcome, in: &turn)
        case .resolve(let seed):
            host.engine.resolved(seed: seed, [host.seedEndpoints[seed]], in: &turn)
        case .signed(let revision, let location): host.revisions[location] = revision
        case .retry: break
        case .piece(let operation, let bytes): host.pieces[operation, default: []].append(bytes)
        case .finished(let operation, let outcome):
            precondition(host.outcomes[operation] == nil, "\(operation) ended twice")
            host.outcomes[operation] = outcome
        }
    }

    private func arm(_ host: Host) {
        guard let deadline = host.engine.nextDeadline else { return }
        if let timer = host.timer, timer == max(deadline, clock) { return }
        host.spins = deadline <= clock ? host.spins + 1 : 0
        precondition(
            host.spins < 100,
            "host \(host.index) is due at \(deadline), before \(clock), over and over"
        )
        let moment = max(deadline, clock)
        host.timer = moment
        events.insert(.timer(host: host.index, incarnation: host.incarnation), at: moment)
    }

    private func send(_ datagram: [UInt8], from host: Host, to destination: Endpoint) {
        wiretap?(datagram, host.endpoint, destination)
        inject(datagram, from: host.endpoint, to: destination)
    }

    /// Puts a datagram on the network that claims to come from `source`.
    func inject(_ datagram: [UInt8], from source: Endpoint, to destination: Endpoint) {
        flights.append(Flight(sent: clock, source: source, destination: destination, length: datagram.count))
        let sender = hosts.first { $0.endpoint == source }?.index ?? 0
        let receiver = hosts.first { $0.endpoint == destination }?.index ?? 0
        if groups[sender, default: 0] != groups[receiver, default: 0] { return }
        for _ in 0..<(chance.perMille(weather.duplication) ? 2 : 1) where !chance.perMille(weather.loss) {
            let delay = Interval.milliseconds(UInt64.random(in: weather.delays, using: &chance))
            events.insert(.delivery(datagram, from: source, to: destination), at: clock + delay)
        }
    }

    // MARK: Operations

    /// Begins an operation and returns its name.
    func submit(_ operation: Operation, at index: Int) -> OperationID {
        nextOperation += 1
        let name = OperationID.user(nextOperation)
        act(hosts[index]) { engine, turn in
            engine.submit(operation, as: name, in: &turn)
        }
        return name
    }

    /// Lets time pass until the operation is over; `nil` if that takes longer than `patience`.
    func finish(_ name: OperationID, at index: Int, patience: Interval = .seconds(60)) -> Outcome? {
        run(until: clock + patience) { hosts[index].outcomes[name] != nil }
        return hosts[index].outcomes[name]
    }
}
