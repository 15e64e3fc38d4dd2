import DHTCore
import DHTEngine

// Once all is quiet: what was acknowledged must be there, and disks must hold what they may.

extension Clients {
    /// Reads what was written last under every key, with all replicas.
    func readEverything() {
        for key in history.keys {
            for write in history.newest(of: key) { verify(write, of: key) }
            world.run(for: .milliseconds(100))
        }
    }

    /// It must be there if anybody who ought to have it has it.
    private func verify(_ write: History.Write, of key: Int) {
        guard let reader = someone(), isLasting(write, of: key, for: reader) else { return }
        recordsPut += 1
        get(key, at: reader, replicas: 8, isExhaustive: true) { [self] outcome in
            let isThere = outcome.found.contains {
                $0.record.author == write.record.author && !write.record.supersedes($0.record)
            }
            if !isThere { noteLost(write, of: key, reader) }
        }
    }

    private func noteLost(_ write: History.Write, of key: Int, _ reader: SimulatedNode) {
        recordsLost += 1
        let closest = world.trueClosest(to: write.record.location, for: reader) + [reader]
        let keepers = write.replicas.filter { index in
            world.nodes[index].isUp && isKeeping(write, at: index)
                && closest.contains { $0.index == index }
        }
        guard !keepers.isEmpty else { return }
        world.violate(
            "durability",
            "key \(key): n\(reader.index) cannot read what n\(keepers[0]) acknowledged and ought to have"
        )
    }
}

extension World {
    /// No honest node keeps bytes that their author did not sign: whoever reads would have to find out.
    func inspectDisks() {
        var signed: Set<Digest> = []
        for node in nodes where node.isHonest {
            node.disk.store.forEach { record in
                guard !signed.contains(record.digest) else { return }
                guard isSigned(record) else {
                    let author = byIdentity[record.author].map { "n\($0)" } ?? "somebody nobody knows"
                    violate("authenticity", "n\(node.index) keeps a record that \(author) did not sign")
                    return
                }
                signed.insert(record.digest)
            }
        }
    }
}
