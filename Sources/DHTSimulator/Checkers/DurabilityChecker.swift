import DHTCore
import DHTEngine

// Once all is quiet: what was acknowledged must be there, and disks must hold what they may.

extension Workload {
    /// Reads what was written last under every key, with all replicas.
    func readEverything() {
        for key in history.keys {
            for write in history.newest(of: key) { verify(write, of: key) }
            world.run(for: .milliseconds(100))
        }
    }

    /// It must be there.
    private func verify(_ write: History.Write, of key: Int) {
        guard let reader = someone(), isLasting(write, of: key, for: reader) else { return }
        recordsPut += 1
        get(key, at: reader, replicas: 8, isExhaustive: true) { [self] outcome in
            let isThere = outcome.found.contains {
                $0.record.author == write.record.author && !write.record.supersedes($0.record)
            }
            if !isThere { reportLoss(write, of: key, reader) }
        }
    }

    /// Unless as many holders vanished within one repair interval as a record has copies.
    private func reportLoss(_ write: History.Write, of key: Int, _ reader: SimulatedNode) {
        recordsLost += 1
        let holders = world.copyLedger.holders(of: write.record)
        if holders.isEmpty, world.copyLedger.isExcused(write.record, acknowledgedAt: write.acknowledgedAt) {
            return
        }
        guard !isOrphaned(write) else { return }
        // Liars, and lists that differ, may stand between a reader and all holders but the closest.
        if !isSimple {
            let closest = world.trueClosest(to: write.record.location, for: reader) + [reader]
            guard holders.contains(where: { keeper in closest.contains { $0.index == keeper } }) else {
                return
            }
        }
        world.violate(
            "durability",
            """
            key \(key): n\(reader.index) cannot read what n\(write.author) was told is stored; it is at \
            \(holders.isEmpty ? "no node" : "\(holders.map { "n\($0)" })"), and fewer vanished at once than \
            a record has copies
            """
        )
    }

    /// Fewer took it than ought to have it, and its author's process, which alone knew, is no more.
    private func isOrphaned(_ write: History.Write) -> Bool {
        let author = world.nodes[write.author]
        return write.replicas.count < min(world.plan.settings.replicas, world.nodes.count)
            && (!author.isUp || author.startedAt > write.startedAt)
    }

    /// Everybody admits everybody, keeps what it says, and all clocks agree well enough.
    private var isSimple: Bool {
        world.plan.traitors.isEmpty && world.plan.omissions.isEmpty
            && world.largestClockError < Int64(Revision.clockTolerance) / 2
            && !world.nodes.contains(where: \.isRevoked)
    }

    /// An interval after all faults every record has as many copies as it ought to have.
    func countCopies() {
        guard isSimple, let reader = someone() else { return }
        let wanted = min(world.plan.settings.replicas, world.nodes.count(where: \.isUp))
        for key in history.keys {
            for write in history.newest(of: key) where isLasting(write, of: key, for: reader) {
                let holders = world.copyLedger.holders(of: write.record)
                if holders.isEmpty || holders.count >= wanted || isOrphaned(write) { continue }
                let places = holders.map { "n\($0)" }
                world.violate("copies", "key \(key): of \(wanted) copies there are these: \(places)")
            }
        }
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
