import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage

// The nodes of a world: how they come to be, start, stop and are expelled.

extension World {
    /// Makes all nodes of the plan; none runs yet.
    func populate() {
        var keys: [(seed: [UInt8], identity: Identity, id: NodeID)] = []
        keys.reserveCapacity(plan.nodes)
        for index in 0..<plan.nodes { keys.append(makeKey(near: plan.ground[index])) }
        let members = keys.enumerated().map { index, key in
            Allowlist.Member(identity: key.identity, name: "n\(index)")
        }
        let everybody = AdmissionPolicy.members(Allowlist(known: members))
        nodes.reserveCapacity(plan.nodes)
        for (index, key) in keys.enumerated() {
            let families = plan.families[index] ?? .ipv4
            let family: Endpoint.Family = families.contains(.ipv4) ? .ipv4 : .ipv6
            let endpoint = Self.address(of: index, family, port: 4000)
            let contact = Contact(identity: key.identity, id: key.id, endpoint: endpoint)
            let node = SimulatedNode(
                index: index,
                contact: contact,
                keySeed: key.seed,
                policy: everybody,
                families: families
            )
            node.adversary = plan.traitors[index]
            // Tables that nodes share have times by one clock.
            if plan.isWatched, plan.beginning != .settled {
                node.clockOrigin = Interval(nanoseconds: chance.next() >> 14)
            }
            nodes.append(node)
            byIdentity[key.identity] = index
        }
        for node in nodes {
            if let omitted = plan.omissions[node.index] { node.policy = policy(without: omitted) }
        }
        if !plan.traitors.isEmpty {
            collusion.population = nodes.map(\.contact)
            collusion.ghosts = nodes.filter { plan.absent.contains($0.index) }.map(\.contact)
            collusion.accomplices = nodes.filter { $0.adversary == .colluding }.map(\.contact)
        }
        if plan.beginning == .settled { tables = acquaintances() }
        if let waiting = plan.rostered {
            office = RosterOffice(self, waiting: waiting, chance: chance.fork())
            for node in nodes {
                let keeper = RosterKeeper(network: network, held: node.disk.roster)
                node.policy = keeper.policy(policy(of: [node.index]))
            }
            collusion.liesAboutRosters = true
        }
    }

    /// A list of these members alone.
    private func policy(of members: Set<Int>) -> AdmissionPolicy {
        policy(without: Set(nodes.map(\.index)).subtracting(members))
    }

    /// A list of all members but these.
    func policy(without omitted: Set<Int>) -> AdmissionPolicy {
        let members = nodes.filter { !omitted.contains($0.index) }
        return .members(
            Allowlist(known: members.map { .init(identity: $0.identity, name: "n\($0.index)") })
        )
    }

    private func makeKey(near place: NodeID?) -> (seed: [UInt8], identity: Identity, id: NodeID) {
        // As close as nobody else in the plan is likely to be.
        let closeness = 4 + Int.bitWidth - plan.nodes.leadingZeroBitCount
        while true {
            let seed = chance.bytes(32)
            guard let identity = identity(of: seed) else { continue }
            let id = identity.nodeID
            if let place, id.commonPrefixLength(with: place) < closeness { continue }
            return (seed, identity, id)
        }
    }

    private func identity(of seed: [UInt8]) -> Identity? {
        guard plan.sealing == .real || plan.rostered != nil else { return Identity(seed) }
        var bytes = seed
        return SigningKey(seed: SecretBytes(wiping: &bytes)).identity
    }

    // MARK: Starting and stopping

    /// Starts all nodes, as the plan has them begin, and lets them find each other for a while.
    func startAll(without reserve: Set<Int> = [], settle: Interval = .seconds(30)) {
        switch plan.beginning {
        case .settled: for node in nodes where !reserve.contains(node.index) { start(node) }
        case .joining(let pause):
            for node in nodes where !reserve.contains(node.index) {
                // The first node is one seed, so that the world is one; another may be any before.
                let earlier = nodes.prefix(node.index).filter { $0.isUp && areAcquaintable($0, node) }
                var seeds = earlier.first.map { [$0.index] } ?? []
                if let other = earlier.dropFirst().randomElement(using: &chance) { seeds.append(other.index) }
                start(node, seeds: seeds)
                run(for: pause)
            }
        }
        run(for: settle)
    }

    /// Whether two nodes let each other speak, and have addresses of one family.
    func areAcquaintable(_ one: SimulatedNode, _ other: SimulatedNode) -> Bool {
        one !== other && !one.families.isDisjoint(with: other.families) && one.policy.admits(other.identity)
            && other.policy.admits(one.identity)
    }

    /// Starts a node as a fresh process, with the records its disk holds.
    func start(_ node: SimulatedNode, seeds: [Int] = []) {
        node.incarnation += 1
        let machine = makeMachine(node)
        // By the roster that its disk holds, whose members may be seeds.
        if office != nil { node.policy = machine.admission }
        node.seeds = seeds.filter { $0 != node.index && node.policy.admits(nodes[$0].identity) }
        launch(machine, at: node)
    }

    /// Has a node run an engine that has done nothing yet, with what its disk holds and the seeds it has.
    func launch(_ machine: any AnyEngine, at node: SimulatedNode) {
        node.startedAt = clock
        node.timer = nil
        (node.answerers, node.accepted) = (IndexSet(), [])
        node.disk.freeAt = clock
        collusion.forgetSpoils(to: node.identity)
        node.machine = machine
        trace.record(clock, 9 << 56 | UInt64(node.index), UInt64(node.incarnation))
        trace.tell(clock) {
            let missing = nodes.filter { !node.policy.admits($0.identity) }.map { " n\($0.index)" }.joined()
            let traits =
                (node.adversary.map { ", \($0.rawValue)" } ?? "")
                + (missing.isEmpty ? "" : ", without\(missing)")
            return "n\(node.index) starts with \(node.disk.store.count) records\(traits)"
        }
        node.disk.store.forEach { record in
            // An author admitted once may not be now; then the engine leaves the record be.
            _ = machine.restore(record)
        }
        for content in node.disk.store.contents() { machine.restore(content, at: now(of: node)) }
        machine.remember(node.disk.contacts, node.disk.revisions)
        if !node.isRevoked { recordCopies(of: node, isThere: true) }
        guard !node.seeds.isEmpty else {
            act(node) { machine, turn in machine.advance(in: &turn) }
            return
        }
        let identities = node.seeds.map { nodes[$0].identity }
        act(node) { machine, turn in machine.setSeeds(identities, in: &turn) }
    }

    /// Ends a node's process without a word. `losesDisk`: its records go with it.
    func crash(_ node: SimulatedNode, losesDisk: Bool) {
        trace.record(clock, 10 << 56 | UInt64(node.index), losesDisk ? 1 : 0)
        trace.tell(clock) { "n\(node.index) crashes\(losesDisk ? " and loses its disk" : "")" }
        recordCopies(of: node, isThere: false)
        end(node)
        if losesDisk { loseDisk(of: node) }
    }

    func loseDisk(of node: SimulatedNode) {
        let roster = node.disk.roster
        node.disk = SimulatedDisk()
        // It is in the configuration, too, which is elsewhere.
        node.disk.roster = roster
        node.lostAt = clock
    }

    /// Lets a node hand over and leave; `then` is called when it is gone.
    func leave(_ node: SimulatedNode, then: @escaping () -> Void) {
        trace.tell(clock) { "n\(node.index) leaves" }
        submit(.leave, at: node) { [self] _ in
            recordCopies(of: node, isThere: false)
            end(node)
            then()
        }
    }

    private func end(_ node: SimulatedNode) {
        let contacts = node.machine?.table.contacts.filter { $0.reachability.grade == .good } ?? []
        node.disk.contacts = contacts.map { ($0.contact.identity, $0.contact.endpoint) }
        node.machine = nil
        node.timer = nil
    }

    /// Gives a node another list, while it runs.
    func admit(_ policy: AdmissionPolicy, at node: SimulatedNode) {
        node.policy = policy
        trace.record(clock, 11 << 56 | UInt64(node.index))
        act(node) { machine, turn in machine.replaceAdmission(policy, in: &turn) }
    }

    // MARK: Engines

    private func makeMachine(_ node: SimulatedNode) -> any AnyEngine {
        // A node that starts later has to find its way in.
        let isNative = !tables.isEmpty && node.seeds.isEmpty
        var core = KademliaNode(
            identity: node.identity,
            id: node.id,
            settings: plan.settings,
            table: isNative ? tables[node.index] : nil,
            generator: chance.fork()
        )
        if !plan.families.isEmpty {
            core.setFamilies(node.families)
            core.addresses.supposed = node.endpoints
        }
        let local = office == nil ? node.policy : policy(of: [node.index])
        switch plan.sealing {
        case .real: return machine(node, realGate(node, local), core)
        case .standIn:
            let gate = StandInGate(
                identity: node.identity,
                admission: local,
                bootSecret: chance.next(),
                process: UInt32(node.incarnation),
                isSettled: plan.beginning == .settled,
                isNative: isNative && node.incarnation == 1
            )
            return machine(node, gate, core)
        }
    }

    private func machine<Keeper: Gatekeeper & ~Copyable>(
        _ node: SimulatedNode,
        _ gate: consuming Keeper,
        _ core: KademliaNode
    ) -> any AnyEngine {
        guard let adversary = node.adversary else {
            return SimulatedEngine(restored(GatedEngine(gate: gate, core: core), node))
        }
        let liar = LyingGate(gate, adversary, collusion, chance: chance.fork())
        return SimulatedEngine(restored(GatedEngine(gate: liar, core: core), node))
    }

    /// An engine with the roster that its disk holds.
    private func restored<Keeper: Gatekeeper & ~Copyable>(
        _ engine: consuming GatedEngine<Keeper>,
        _ node: SimulatedNode
    ) -> GatedEngine<Keeper> {
        if office != nil { engine.follow(node.disk.roster, at: now(of: node).instant) }
        return engine
    }

    /// Where the rosters of this world count.
    var network: NetworkID { plan.sealing == .real ? networkID : .standIn }

    private func realGate(_ node: SimulatedNode, _ local: AdmissionPolicy) -> Gate {
        let now = now(of: node)
        var seed = node.keySeed
        var network = networkSeed
        let keys = KeyRing(
            signing: SigningKey(seed: SecretBytes(wiping: &seed)),
            network: NetworkKey(bytes: SecretBytes(wiping: &network)),
            at: now.instant
        )
        return Gate(
            keys: keys,
            admission: local,
            entropy: chance.fork(),
            at: now.instant
        )
    }

    /// Whether somebody the network admits signed these bytes.
    func isSigned(_ record: Record) -> Bool {
        guard plan.sealing == .real else { return StandInGate.isSigned(record) }
        return RecordCodec.verifies(record, network: networkID)
    }

    private var networkID: NetworkID {
        var bytes = networkSeed
        return NetworkKey(bytes: SecretBytes(wiping: &bytes)).id
    }
}
