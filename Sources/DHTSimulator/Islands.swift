import DHTCore

/// What falls apart so that no protocol can mend it: where everybody moved while nobody was in touch, neither
/// side knows a single present address of the other. Then people name one.
extension World {
    /// Tells one node of each island where somebody of the mainland is, as an operator would.
    func joinIslands() {
        var islands = islands()
        guard islands.count > 1, let mainland = islands.max(by: { $0.count < $1.count }) else { return }
        islands.removeAll { $0 == mainland }
        for island in islands {
            let pairs = island.flatMap { one in mainland.map { (nodes[one], nodes[$0]) } }
            guard let (lost, other) = pairs.first(where: { areAcquaintable($0.0, $0.1) }) else { continue }
            trace.tell(clock) { "n\(lost.index) is told where n\(other.index) is" }
            lost.seeds = [other.index]
            act(lost) { machine, now, actions in
                machine.setSeeds([other.identity], at: now, into: &actions)
            }
        }
    }

    /// Running nodes of which one knows where another is, directly or not; by ascending index.
    private func islands() -> [[Int]] {
        let running = nodes.filter { $0.isUp && !$0.isRevoked }
        var island = Dictionary(uniqueKeysWithValues: running.map { ($0.index, $0.index) })
        for node in running {
            for other in acquaintances(of: node) {
                guard let mine = island[node.index], let its = island[other], mine != its else { continue }
                island = island.mapValues { $0 == its ? mine : $0 }
            }
        }
        return Dictionary(grouping: island.keys.sorted()) { island[$0] ?? $0 }.values
            .sorted { $0[0] < $1[0] }
    }

    /// Whom the node can reach: by its table, or since people named them.
    private func acquaintances(of node: SimulatedNode) -> [Int] {
        let known = node.machine?.core.table.contacts.map(\.contact) ?? []
        let reached = known.compactMap { contact in
            byIdentity[contact.identity].flatMap { nodes[$0].endpoint == contact.endpoint ? $0 : nil }
        }
        return (reached + node.seeds).filter { nodes[$0].isUp && areAcquaintable(node, nodes[$0]) }
    }
}
