import DHTCore
import DHTEnvelope

// Promises about rosters: nobody holds one that no administrator signed, nor an older one than it
// held; in the end all hold the newest.

extension World {
    /// A node holds another roster.
    func adopted(_ roster: Roster, at node: SimulatedNode) {
        trace.record(clock, 12 << 56 | UInt64(node.index), roster.serial)
        trace.tell(clock) { "n\(node.index) holds roster \(roster.serial)" }
        defer { node.disk.roster = roster }
        if let machine = node.machine { node.policy = machine.admission }
        guard node.isHonest, let office else { return }
        if office.issued[roster.mark]?.head != roster.head {
            violate("membership", "n\(node.index) holds a roster \(roster.serial) that nobody signed")
        }
        if let before = node.disk.roster, before.serial >= roster.serial {
            violate("membership", "n\(node.index) goes back from roster \(before.serial) to \(roster.serial)")
        }
    }

    /// After all faults, and as long as a roster may take: everybody who can be reached holds the newest one,
    /// and none of the revoked do.
    func inspectRosters() {
        guard let office else { return }
        for node in nodes where node.isUp && node.isHonest {
            let serial = node.disk.roster?.serial ?? 0
            if serial != office.newest.serial {
                violate(
                    "membership",
                    "n\(node.index) holds roster \(serial), not \(office.newest.serial), long after"
                )
            }
            for other in nodes where other.isRevoked && node.policy.admits(other.identity) {
                violate("membership", "n\(node.index) admits n\(other.index), which is revoked")
            }
        }
    }
}
