import DHTCore
import DHTEngine

// The order in which one author writes under one key is the order of the revisions, however long each write
// takes, and whether or not it is broken off.

extension Workload {
    /// A write was acknowledged: whatever its author began before has a lower revision, and whatever it began
    /// later a higher one.
    func checkOrder(of write: History.Write, _ key: Int) {
        for other in history.writes[key] ?? [] where other.author == write.author {
            let (earlier, later) = other.number < write.number ? (other, write) : (write, other)
            guard earlier.record.revision > later.record.revision,
                !isExcused(earlier.record, before: later)
            else { continue }
            world.violate(
                "order",
                "key \(key): what n\(write.author) began to write later has the lower revision, "
                    + "\(later.record.revision.rawValue) against \(earlier.record.revision.rawValue)"
            )
        }
    }

    /// Nothing is read that its author began to write before something acknowledged, and that passes over it:
    /// nor what was broken off, or was told to have failed.
    func checkOrder(of record: Record, _ read: Read) {
        guard let author = world.byIdentity[record.author], world.nodes[author].isHonest,
            let number = history.number(of: record)
        else { return }
        for write in history.writes[read.key] ?? []
        where write.author == author && write.number > number && write.record.revision < record.revision
            && !isExcused(record, before: write)
        {
            world.violate(
                "order",
                "key \(read.key): n\(read.reader.index) read what n\(author) began to write before revision "
                    + "\(write.record.revision.rawValue), which was acknowledged, with a higher one"
            )
            return
        }
    }

    /// An author goes back behind what is far ahead of its clock, and one who lost its disk knows of nothing.
    private func isExcused(_ earlier: Record, before later: History.Write) -> Bool {
        if world.nodes[later.author].lostAt != nil { return true }
        let wall = Int64(World.epoch) + Int64(later.startedAt.nanoseconds / 1_000_000)
        let margin = Int64(Revision.clockTolerance) - 2 * world.largestClockError
        return Int64(earlier.revision.unixMilliseconds) > wall + margin
    }
}
