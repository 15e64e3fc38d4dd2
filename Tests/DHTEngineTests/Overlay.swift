import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage
@_exported import TestKit

@testable import DHTSimulator

/// A datagram on its way, as an observer of the whole network sees it.
struct Flight: Hashable {
    let sent: Instant
    let source: Endpoint
    let destination: Endpoint
    let length: Int
}

/// A world of the simulator with real keys, whose nodes tests start, and whose engines they reach into.
final class Overlay {
    private let world: World
    private(set) var hosts: [Host] = []
    private(set) var flights: [Flight] = []
    var settings = KademliaNode.Settings()
    /// Sees every datagram that is sent, with the addresses it goes from and to.
    var wiretap: (([UInt8], Endpoint, Endpoint) -> Void)?

    /// `count` hosts, of which `outsiders` at the end are on nobody's list but their own, which lists all.
    init(_ count: Int, outsiders: Int = 0, readers: Set<Int> = [], seed: UInt64 = 1) {
        var plan = WorldPlan(nodes: count, seed: seed, sealing: .real)
        // Whoever lies here lies on purpose, and all monotonic clocks agree.
        plan.isWatched = false
        world = World(plan)
        let identities = world.nodes.map(\.identity)
        let readers = Set(readers.map { identities[$0] })
        let whole = AdmissionPolicy.list(identities, readers: readers)
        let inner = AdmissionPolicy.list(Array(identities.dropLast(outsiders)), readers: readers)
        for node in world.nodes {
            node.policy = node.index >= count - outsiders ? whole : inner
            hosts.append(Host(node, of: self, engine: makeEngine(node, networkSeed: world.networkSeed)))
        }
    }

    private func makeEngine(_ node: SimulatedNode, networkSeed: [UInt8]) -> Engine {
        let core = KademliaNode(
            identity: node.identity,
            id: node.id,
            settings: settings,
            generator: world.chance.fork()
        )
        return Engine(gate: makeGate(node, networkSeed: networkSeed), core: core)
    }

    private func makeGate(_ node: SimulatedNode, networkSeed: [UInt8]) -> Gate {
        var (seed, networkSeed) = (node.keySeed, networkSeed)
        let keys = KeyRing(
            signing: SigningKey(seed: SecretBytes(wiping: &seed)),
            network: NetworkKey(bytes: SecretBytes(wiping: &networkSeed)),
            at: clock
        )
        return Gate(keys: keys, admission: node.policy, entropy: world.chance.fork(), at: clock)
    }

    /// A gate with a host's keys, for whoever speaks in its name with code of its own.
    func gate(of index: Int) -> Gate { makeGate(self[index].node, networkSeed: world.networkSeed) }

    subscript(index: Int) -> Host { hosts[index] }

    // MARK: Starting and stopping

    /// Starts a host as a fresh process that has whatever records its store holds.
    func start(_ index: Int, seeds: [Int] = [], networkSeed: [UInt8]? = nil) {
        let host = hosts[index]
        host.restart(
            makeEngine(host.node, networkSeed: networkSeed ?? world.networkSeed),
            seeds: seeds
        )
        world.launch(host, at: host.node)
    }

    func kill(_ index: Int) { world.crash(hosts[index].node, losesDisk: false) }

    /// Moves a host to another port.
    func move(_ index: Int, toPort port: UInt16) { hosts[index].node.port = port }

    func admit(_ policy: AdmissionPolicy, at index: Int) { world.admit(policy, at: hosts[index].node) }

    // MARK: Time

    var clock: Instant { world.clock }

    func now(at host: Host) -> Now {
        let now = world.now(of: host.node)
        return Now(instant: now.instant, unixMilliseconds: host.wall ?? now.unixMilliseconds)
    }

    /// Lets `span` pass.
    func run(for span: Interval) { world.run(for: span) }

    /// Lets time pass until `isDone` or `end`, whichever is first; tells whether it was the former.
    @discardableResult
    func run(until end: Instant, or isDone: () -> Bool) -> Bool { world.run(until: end, or: isDone) }

    // MARK: The network

    var conditions: NetworkConditions {
        get { world.conditions }
        set { world.conditions = newValue }
    }

    /// Hosts in one group hear each other; all are in group 0 at first.
    var groups: [Int: Int] = [:] {
        didSet { for node in world.nodes { node.group = groups[node.index, default: 0] } }
    }

    /// Puts a datagram on the network that claims to come from `source`.
    func inject(_ datagram: [UInt8], from source: Endpoint, to destination: Endpoint) {
        record(datagram, from: source, to: destination)
        guard let receiver = world.owner(of: destination) else { return }
        world.inject(
            World.Delivery(
                bytes: datagram,
                source: source,
                sender: Int32(world.owner(of: source)?.index ?? 0),
                receiver: Int32(receiver.index),
                port: destination.port,
                isAdmitted: true,
                serial: 0
            )
        )
    }

    func record(_ datagram: [UInt8], from source: Endpoint, to destination: Endpoint) {
        flights.append(Flight(sent: clock, source: source, destination: destination, length: datagram.count))
    }

    // MARK: Operations

    /// Lets something happen to the engine, if it runs, and performs what it wants.
    func act(_ host: Host, _ body: (inout Engine, inout EngineTurn) -> Void) {
        world.act(host.node) { _, turn in host.attend(&turn) { body(&host.engine, &$0) } }
    }

    /// Begins an operation and returns its name.
    func submit(_ operation: DHTEngine.Operation, at index: Int) -> OperationID {
        world.submit(operation, at: hosts[index].node) { _ in }
    }

    /// Lets time pass until the operation is over; `nil` if that takes longer than `patience`.
    func finish(_ name: OperationID, at index: Int, patience: Interval = .seconds(60)) -> Outcome? {
        run(until: clock + patience) { hosts[index].outcomes[name] != nil }
        return hosts[index].outcomes[name]
    }
}

extension NetworkConditions {
    /// Delays in milliseconds one way; different ones reorder.
    init(delays: ClosedRange<UInt64>, loss: Double = 0, duplication: Double = 0) {
        self.init()
        delay = .uniform(delays)
        (self.loss, self.duplication) = (loss, duplication)
    }
}
