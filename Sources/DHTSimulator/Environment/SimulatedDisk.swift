import DHTCore
import DHTEngine
import DHTStorage

// The disks of a world: tickets in, outcomes out, at once or late, well or badly.

extension World {
    /// Asks a node's disk for something; what takes no time is done at once.
    func ask(_ node: SimulatedNode, _ work: DiskWork, in turn: inout EngineTurn) {
        let delay = node.disk.delay == 0...0 ? 0 : chance.span(in: node.disk.delay)
        guard delay > 0 || node.disk.freeAt > clock else {
            finish(work, of: node, in: &turn)
            return
        }
        // One thing after the other: what was asked first is done first.
        node.disk.freeAt = max(node.disk.freeAt, clock) + .milliseconds(delay)
        queue.insert(
            .disk(node: Int32(node.index), incarnation: node.incarnation, work),
            at: node.disk.freeAt
        )
    }

    /// Does what was asked of a disk, and tells the engine.
    func finish(_ work: DiskWork, of node: SimulatedNode, in turn: inout EngineTurn) {
        let fails = chance.happens(node.disk.failure)
        if fails { diskFailures += 1 }
        switch work {
        case .load(let ticket, let location, let authors):
            let records = fails ? nil : node.disk.store.records(at: location, by: authors)
            let outcome = records.map { StorageOutcome.loaded($0) } ?? .unavailable
            node.machine?.complete(ticket, with: outcome, in: &turn)
        case .loadPart(let ticket, let content, let part):
            let outcome = fails ? .unavailable : StorageOutcome.part(node.disk.store.part(part, of: content))
            node.machine?.complete(ticket, with: outcome, in: &turn)
        case .survey(let ticket):
            let outcome =
                fails ? .unavailable : StorageOutcome.surveyed(node.disk.store.unreferredContent())
            node.machine?.complete(ticket, with: outcome, in: &turn)
        case .apply(let ticket, let changes):
            let outcome = fails ? .unavailable : apply(changes, of: node)
            node.machine?.complete(ticket, with: outcome, in: &turn)
        }
    }

    private func apply(_ changes: [RecordChange], of node: SimulatedNode) -> StorageOutcome {
        let grows = changes.contains { change in
            switch change {
            case .put, .beginContent, .putPiece: true
            case .remove, .removeContent: false
            }
        }
        guard !(grows && node.disk.isFull) else { return .full }
        do {
            try node.disk.store.apply(changes)
            recordCopies(of: node, changes)
            return .applied
        } catch {
            return error == .full ? .full : .unavailable
        }
    }
}
