import DHTCore
import DHTEngine
import DHTEnvelope

/// A read under way.
struct Read {
    let key: Int
    let reader: SimulatedNode
    /// How many replicas the reader wants to hear.
    let replicas: Int
    let isExhaustive: Bool
    let startedAt: Instant
    /// The reader's Unix milliseconds then.
    let wallAtStart: UInt64
    /// The reader's list then.
    let policyAtStart: AdmissionPolicy
    /// `nil` if the read can count on nothing.
    let preconditions: ReadPreconditions?
}

// Conditions that everything read must meet.

extension Workload {
    func check(_ read: Read, _ outcome: GetOutcome) {
        let before = world.violations.count
        for found in outcome.found {
            checkGenuine(found.record, read)
            checkOrder(of: found.record, read)
        }
        checkFresh(read, outcome)
        checkSum(read, outcome)
        if world.violations.count > before { wrong += 1 }
        if isCounting { countRead(read, outcome) }
    }

    /// No bytes that no admitted author signed, and nothing whose time is over.
    private func checkGenuine(_ record: Record, _ read: Read) {
        guard let author = world.byIdentity[record.author] else {
            return world.violate("authenticity", "key \(read.key): a record of an author nobody knows")
        }
        let node = world.nodes[author]
        guard world.isSigned(record) else {
            return world.violate("authenticity", "key \(read.key): a record that n\(author) did not sign")
        }
        if node.adversary != .equivocating, !history.isGenuine(record, of: read.key, by: author) {
            world.violate("authenticity", "key \(read.key): n\(author) never wrote what was read")
        }
        // A list may change while a read lasts; then both may be kept to.
        if ![read.policyAtStart, read.reader.policy].contains(where: { $0.mayWrite(record.author) }) {
            world.violate(
                "authenticity",
                "key \(read.key): n\(read.reader.index) read what n\(author) wrote, who may not write"
            )
        }
        let wall = min(read.wallAtStart, world.now(of: read.reader).unixMilliseconds)
        if record.expiry <= wall {
            world.violate("expiry", "key \(read.key): n\(read.reader.index) read what had expired")
        }
    }

    /// A read that was answered by somebody who acknowledged a write sees it, or something newer; so a
    /// deleted value does not come back.
    private func checkFresh(_ read: Read, _ outcome: GetOutcome) {
        let answered = Set(outcome.answeredBy.compactMap { world.byIdentity[$0] })
        let wall = world.now(of: read.reader).unixMilliseconds
        for write in history.writes[read.key] ?? []
        where write.acknowledgedAt <= read.startedAt && isLasting(write, of: read.key, for: read.reader) {
            let holders = write.replicas.filter { answered.contains($0) && isKeeping(write, at: $0) }
            guard let holder = holders.first else { continue }
            guard read.saw(write, in: outcome, at: wall) else {
                world.violate(
                    "freshness",
                    """
                    key \(read.key): n\(read.reader.index) asked n\(holder), which had acknowledged revision \
                    \(write.record.revision.rawValue) of n\(write.author), and read \
                    \(read.text(of: write, in: outcome))
                    """
                )
                return
            }
        }
    }

    /// Whether the node still has what it acknowledged, or something newer of that author.
    func isKeeping(_ write: History.Write, at index: Int) -> Bool {
        let node = world.nodes[index]
        guard node.adversary == nil, !node.isRevoked else { return false }
        if let lostAt = node.lostAt, lostAt >= write.startedAt { return false }
        return node.policy.mayWrite(write.record.author)
    }

    /// Whether no clock says that the record's time is over or is to come, and its author counts for the
    /// reader.
    func isLasting(_ write: History.Write, of key: Int, for reader: SimulatedNode) -> Bool {
        let wall = Int64(World.epoch) + Int64(world.clock.nanoseconds / 1_000_000)
        let margin = 2 * world.largestClockError + 1000
        // Where clocks differ by minutes it may be too far ahead of somebody's, who then sees nothing of it.
        let earliest = wall - world.largestClockError - 30_000
        let mayBeHidden = margin + 30_000 > Int64(Revision.clockTolerance)
        // Its successor may be too far ahead as well: a record its author wrote since, or renewed.
        if mayBeHidden, history.isFollowed(write, of: key) || mix.keeps > 0 { return false }
        return Int64(write.record.expiry) > wall + margin
            && !write.record.revision.isFarAhead(of: UInt64(max(earliest, 0)))
            && !history.mayHaveEnded(write, of: key, at: world.clock + .milliseconds(UInt64(margin)))
            && reader.policy.mayWrite(write.record.author) && !world.nodes[write.author].isRevoked
            && world.nodes[write.author].adversary != .equivocating
    }

    /// Counts the read if there is something to be read: as a success if it brought that.
    private func countRead(_ read: Read, _ outcome: GetOutcome) {
        let known = history.newest(of: read.key).filter {
            $0.acknowledgedAt <= read.startedAt && isLasting($0, of: read.key, for: read.reader)
        }
        let wall = world.now(of: read.reader).unixMilliseconds
        func precedence(_ record: Record) -> Precedence { Precedence(record, unixMilliseconds: wall) }
        guard let newest = known.max(by: { precedence($0.record) < precedence($1.record) }),
            !newest.record.isTombstone
        else { return }
        let found = outcome.found.first { !$0.record.isTombstone }?.record
        let isGood = found.map { precedence(newest.record) <= precedence($0) } ?? false
        statistics.record(at: read.startedAt, succeeded: isGood, hops: outcome.hops, requests: outcome.asked)
    }
}
