import DHTCore

// Routing tables as a long and quiet time makes them, without living through it.

extension World {
    /// Variants of one bucket's contents that the nodes of a subtree share until they change.
    private static let variants = 64

    /// A table for each node: every bucket is as full as the nodes that belong there allow, with contacts
    /// drawn from all of them alike.
    func acquaintances() -> [RoutingTable] {
        let order = nodes.indices.sorted { nodes[$0].id < nodes[$1].id }
        var buckets = [[KBucket]](repeating: [], count: nodes.count)
        divide(order[...], depth: 0, into: &buckets)
        return nodes.map { node in
            RoutingTable(
                own: node.id,
                capacities: plan.settings.bucketCapacities,
                buckets: buckets[node.index],
                at: clock + node.clockOrigin
            )
        }
    }

    /// Fills bucket `depth` of all nodes in `range`, which share so many leading bits, and those below.
    private func divide(_ range: ArraySlice<Int>, depth: Int, into buckets: inout [[KBucket]]) {
        guard range.count > 1 else { return }
        let middle = firstWithBit(depth, in: range)
        let (near, far) = (range[..<middle], range[middle...])
        for (own, others) in [(near, far), (far, near)] where !own.isEmpty {
            let contents = variants(of: others, depth: depth)
            for index in own {
                let choice = contents.count == 1 ? 0 : chance.index(below: contents.count)
                buckets[index].append(contents[choice])
            }
        }
        divide(near, depth: depth + 1, into: &buckets)
        divide(far, depth: depth + 1, into: &buckets)
    }

    private func variants(of others: ArraySlice<Int>, depth: Int) -> [KBucket] {
        let capacities = plan.settings.bucketCapacities
        let capacity = depth < capacities.count ? capacities[depth] : Kademlia.replicas
        guard others.count > capacity else {
            let entries = others.map { RoutingTable.Entry(nodes[$0].contact, at: clock) }
            return [KBucket(capacity: capacity, entries, isComplete: true)]
        }
        let count = min(Self.variants, max(others.count / capacity, 2))
        return (0..<count).map { _ in
            var drawn: Set<Int> = []
            var entries: [RoutingTable.Entry] = []
            while entries.count < capacity {
                let index = others[others.startIndex + chance.index(below: others.count)]
                guard drawn.insert(index).inserted else { continue }
                entries.append(RoutingTable.Entry(nodes[index].contact, at: clock))
            }
            return KBucket(capacity: capacity, entries, isComplete: false)
        }
    }

    /// Where in a sorted range, of ids that share `depth` bits, those begin whose next bit is one.
    private func firstWithBit(_ depth: Int, in range: ArraySlice<Int>) -> Int {
        let zero = NodeID(firstByte: 0)
        var bounds = range.startIndex..<range.endIndex
        while !bounds.isEmpty {
            let middle = bounds.lowerBound + bounds.count / 2
            if nodes[range[middle]].id.distance(to: zero)[bit: depth] {
                bounds = bounds.lowerBound..<middle
            } else {
                bounds = middle + 1..<bounds.upperBound
            }
        }
        return bounds.lowerBound
    }
}
