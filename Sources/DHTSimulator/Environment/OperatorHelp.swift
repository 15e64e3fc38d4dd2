import DHTCore

/// Partitions that no protocol can mend: where everybody moved while nobody was in touch, neither
/// side knows a single present address of the other. Then people name one.
extension World {
    /// Tells one node of each component where somebody of the largest one is, as an operator would.
    func reconnectComponents() {
        var components = components()
        guard components.count > 1, let largest = components.max(by: { $0.count < $1.count }) else { return }
        components.removeAll { $0 == largest }
        for component in components {
            let pairs = component.flatMap { one in largest.map { (nodes[one], nodes[$0]) } }
            guard let (lost, other) = pairs.first(where: { areAcquaintable($0.0, $0.1) }) else { continue }
            trace.tell(clock) { "n\(lost.index) is told where n\(other.index) is" }
            lost.seeds = [other.index]
            act(lost) { machine, turn in
                machine.setSeeds([other.identity], in: &turn)
            }
        }
    }

    /// Running nodes of which one knows where another is, directly or not; by ascending index.
    private func components() -> [[Int]] {
        let running = nodes.filter { $0.isUp && !$0.isRevoked }
        var component = Dictionary(uniqueKeysWithValues: running.map { ($0.index, $0.index) })
        for node in running {
            for other in acquaintances(of: node) {
                guard let mine = component[node.index], let its = component[other], mine != its else {
                    continue
                }
                component = component.mapValues { $0 == its ? mine : $0 }
            }
        }
        return Dictionary(grouping: component.keys.sorted()) { component[$0] ?? $0 }.values
            .sorted { $0[0] < $1[0] }
    }

    /// Nodes that the node can reach: by its table, or since people named them.
    private func acquaintances(of node: SimulatedNode) -> [Int] {
        let known = node.machine?.table.contacts.map(\.contact) ?? []
        let reached = known.compactMap { contact in
            byIdentity[contact.identity].flatMap { nodes[$0].endpoints.contains(contact.endpoint) ? $0 : nil }
        }
        return (reached + node.seeds).filter { nodes[$0].isUp && areAcquaintable(node, nodes[$0]) }
    }
}
