import DHTCore
import DHTEngine

// Promises that hold at every moment, and those that hold once all is quiet.

extension World {
    /// Longest that an operation may take, but for what is read of a long value.
    static let operationPatience = Interval.minutes(3)

    /// Looks at all honest nodes: whom their tables hold, how full everything is.
    func inspect() {
        for node in nodes where node.isHonest {
            guard let machine = node.machine else { continue }
            for bounds in machine.bounds where !bounds.isWithinBound {
                violate("bounds", "n\(node.index) holds \(bounds.count) \(bounds.name)")
            }
            inspectTable(of: node, machine.table)
        }
        inspectSpoils()
        for overdue in overdueOperations() {
            violate("liveness", "an operation of n\(overdue) does not end")
        }
    }

    /// A routing table holds only admitted peers that answered, at addresses that are theirs.
    private func inspectTable(of node: SimulatedNode, _ table: RoutingTable) {
        for contact in table.contacts.lazy.map(\.contact) {
            // Most are where they belong, so that they need not be looked for.
            let owner = owner(of: contact.endpoint)
            let index = owner?.identity == contact.identity ? owner?.index : byIdentity[contact.identity]
            guard let index, node.policy.admits(contact.identity) else {
                violate("table", "n\(node.index) knows somebody it does not admit")
                continue
            }
            if plan.beginning != .settled, !node.answerers.contains(index) {
                violate("table", "n\(node.index) knows n\(index), which never answered it")
            }
            if contact.other == nil, owner?.index == index { continue }
            for endpoint in contact.endpoints where self.owner(of: endpoint)?.index != index {
                violate("table", "n\(node.index) has n\(index) at \(endpoint), which is not its own")
            }
        }
    }

    /// The failure detectors of all honest nodes that run, added up.
    var judgements: FailureDetectorCounters {
        nodes.lazy.filter(\.isHonest).compactMap(\.machine).reduce(into: FailureDetectorCounters()) {
            $0 += $1.core.judgements
        }
    }

    /// Calls ``inspect()`` once a minute from now on.
    func inspectRegularly() {
        inspect()
        after(.minutes(1)) { [self] in inspectRegularly() }
    }

    /// Counts wrong chunks anew as often as those who were given them forget who lied.
    func forgetSpoilsRegularly() {
        collusion.forgetSpoils(to: nil)
        after(ContentLiars.memory) { [self] in forgetSpoilsRegularly() }
    }

    /// The network and all disks are well again.
    func healAll() {
        conditions = NetworkConditions()
        blocked = []
        captures = false
        for node in nodes {
            node.group = 0
            node.cloggedUntil = clock
            (node.disk.delay, node.disk.isFull, node.disk.failure) = (0...0, false, 0)
        }
    }

    // MARK: Convergence

    /// Whether the node's closest contacts are the closest nodes there are.
    func isConverged(_ node: SimulatedNode) -> Bool {
        guard let machine = node.machine else { return true }
        let closest = machine.table.closest(to: node.id, count: plan.settings.replicas)
        let truth = trueClosest(to: node.id, for: node)
        return closest.map(\.identity) == truth.map(\.identity)
            && zip(closest, truth).allSatisfy { $1.endpoints.contains($0.endpoint) }
    }

    /// The nearest nodes to a place that the node and they themselves let speak to each other.
    func trueClosest(to target: NodeID, for node: SimulatedNode) -> [SimulatedNode] {
        var closest: [(distance: Distance, node: SimulatedNode)] = []
        for other in nodes {
            let distance = other.id.distance(to: target)
            if closest.count == plan.settings.replicas {
                guard let last = closest.last, distance < last.distance else { continue }
            }
            guard other.isUp, areAcquaintable(other, node) else { continue }
            if closest.count == plan.settings.replicas { closest.removeLast() }
            let place = closest.firstIndex { distance < $0.distance } ?? closest.endIndex
            closest.insert((distance, other), at: place)
        }
        return closest.map(\.node)
    }

    /// Lets time pass until every honest node's closest contacts are the true ones; how long that took.
    /// `nil`, and a promise is broken, if it takes longer than `patience`.
    func converge(within patience: Interval) -> Interval? {
        let start = clock
        while clock < start + patience {
            if nodes.allSatisfy({ !$0.isHonest || isConverged($0) }) { return clock.since(start) }
            run(for: .seconds(1))
        }
        for node in nodes where node.isHonest && !isConverged(node) {
            let known = node.machine?.table.closest(to: node.id, count: plan.settings.replicas) ?? []
            let truth = trueClosest(to: node.id, for: node)
            violate(
                "convergence",
                """
                \(patience.seconds) s after all faults n\(node.index)'s closest are \
                \(text(of: known)), not \(text(of: truth.map(\.contact)))
                """
            )
        }
        return nil
    }

    private func text(of contacts: [Contact]) -> String {
        contacts.map { "n\(byIdentity[$0.identity] ?? -1):\($0.endpoint.port)" }.joined(separator: " ")
    }
}
