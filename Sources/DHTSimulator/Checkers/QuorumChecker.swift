import DHTCore
import DHTEngine

// R + W > K: whoever wants to hear R of K replicas meets one of the W that acknowledged.

/// Conditions a read can count on, if they are the same from its beginning to its end: a replica set that is
/// known to the reader, and no member that keeps silent.
struct ReadPreconditions: Hashable {
    /// The closest nodes there are, the reader perhaps among them: all of them honest.
    let replicas: Set<Int>
    /// Requests that the reader had given up, and all that any disk had failed to do.
    let timeouts: UInt64
    let diskFailures: Int
}

extension Workload {
    /// `nil` if liars are among the replicas, or the reader does not know all of them.
    func preconditions(of key: Int, at reader: SimulatedNode) -> ReadPreconditions? {
        guard world.plan.isWatched, let machine = reader.machine else { return nil }
        let location = Simulation.location(of: History.name(of: key))
        let replicas = world.replicaSet(of: location, for: reader)
        guard replicas.allSatisfy({ world.nodes[$0].isHonest }) else { return nil }
        let known = machine.table.closest(to: location, count: world.plan.settings.replicas)
        let reachable = Set(known.compactMap { world.byIdentity[$0.identity] } + [reader.index])
        guard replicas.isSubset(of: reachable) else { return nil }
        return ReadPreconditions(
            replicas: replicas,
            timeouts: machine.counters.timeouts,
            diskFailures: world.diskFailures
        )
    }

    /// Whether the read saw every write whose acknowledgements and its own answers must have met.
    ///
    /// ``checkFresh(_:_:)`` starts from who answered, and so cannot tell if too few were heard.
    func checkSum(_ read: Read, _ outcome: GetOutcome) {
        guard let preconditions = read.preconditions,
            preconditions == self.preconditions(of: read.key, at: read.reader),
            outcome.answeredBy.allSatisfy({
                world.byIdentity[$0].map(preconditions.replicas.contains) == true
            })
        else { return }
        let all = preconditions.replicas.count
        let wanted = min(read.isExhaustive ? all : read.replicas, all)
        for write in history.writes[read.key] ?? []
        where write.acknowledgedAt <= read.startedAt && write.replicaSet == preconditions.replicas
            && isLasting(write, of: read.key, for: read.reader)
        {
            let holders = write.replicas.count {
                preconditions.replicas.contains($0) && isKeeping(write, at: $0)
            }
            guard wanted + holders > all else { continue }
            sumsChecked += 1
            let wall = world.now(of: read.reader).unixMilliseconds
            guard !read.saw(write, in: outcome, at: wall) else { continue }
            world.violate(
                "quorum",
                """
                key \(read.key): \(holders) of \(all) replicas acknowledged revision \
                \(write.record.revision.rawValue) of n\(write.author); n\(read.reader.index) asked \(wanted) \
                and read \(read.text(of: write, in: outcome))
                """
            )
            return
        }
    }
}

extension Read {
    /// The record the read brought of the write's author, or of all of them.
    private func seen(of write: History.Write, in outcome: GetOutcome) -> Record? {
        guard isExhaustive else { return outcome.found.first?.record }
        return outcome.found.first { $0.record.author == write.record.author }?.record
    }

    /// Whether the read brought what was written, or something newer; of several authors as the reader's
    /// clock has it, which says `wall`, or as it had it when the read began: it may jump meanwhile.
    func saw(_ write: History.Write, in outcome: GetOutcome, at wall: UInt64) -> Bool {
        guard let seen = seen(of: write, in: outcome) else { return false }
        if seen.author == write.record.author { return !write.record.isNewer(than: seen) }
        // A page that ended with a value may have left out what counts once its author's next one is ahead.
        if seen.isNewer(than: write.record) { return true }
        // A later record of its author stands in its place, even where that comes after what others wrote.
        let later = outcome.found.first { $0.record.author == write.record.author }?.record
        let standing = later.map { $0.supersedes(write.record) ? $0 : write.record } ?? write.record
        return [wallAtStart, wall].contains {
            Precedence(standing, unixMilliseconds: $0) < Precedence(seen, unixMilliseconds: $0)
        }
    }

    /// The revision that was read instead, for a complaint.
    func text(of write: History.Write, in outcome: GetOutcome) -> String {
        seen(of: write, in: outcome).map { "\($0.revision.rawValue)" } ?? "nothing"
    }
}

extension World {
    /// Those nearest to a place, `node` itself among them if it is: who ought to keep what belongs there.
    func replicaSet(of location: NodeID, for node: SimulatedNode) -> Set<Int> {
        let nearest = (trueClosest(to: location, for: node) + [node]).sorted {
            $0.id.distance(to: location) < $1.id.distance(to: location)
        }
        return Set(nearest.prefix(plan.settings.replicas).map(\.index))
    }
}
