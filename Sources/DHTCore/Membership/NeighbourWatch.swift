/// When the next of the nodes closest to us is asked whether it is there, though for no other reason.
///
/// Each of them is watched by several, who take turns without knowing: a sign of life is one to both ends
/// of a line, and whoever was quiet for longest is asked first.
struct NeighbourWatch: Sendable {
    /// Between two questions, on average. Neighbours that were heard of within it are not asked.
    static let interval = Interval.seconds(24)

    private(set) var next: Instant?

    /// Whether a question is due; then the next one is so about an ``interval`` later: nodes that started
    /// together must not all ask at once.
    mutating func take(at now: Instant, using generator: inout some RandomNumberGenerator) -> Bool {
        if let next, now < next { return false }
        let isDue = next != nil
        let spread = Self.interval.nanoseconds / 2
        let least = isDue ? spread * 3 / 2 : 0
        next = now + Interval(nanoseconds: .random(in: least...least + spread, using: &generator))
        return isDue
    }
}

// The nodes closest to us keep copies of what we keep, so it must show soon when one of them is gone.

extension KademliaNode {
    /// Asks the neighbour that was quiet for longest who is closest to us.
    mutating func watchNeighbours(in turn: inout KademliaTurn) {
        let now = turn.now.instant
        guard membership.joining.state == .done else { return }
        if membership.watch.take(at: now, using: &generator), let neighbour = quietest(at: now) {
            table.probed(neighbour.identity, id: neighbour.id, at: now)
            call(neighbour, .findNode(target: id), .watch, in: &turn)
        }
        if let next = membership.watch.next { membership.timers.set(.neighbours, noLaterThan: next) }
    }

    private func quietest(at now: Instant) -> Contact? {
        let quiet = table.closest(to: id, count: settings.replicas).compactMap { contact in
            table.entry(for: contact.id)?.reachability.quietSince.map { (contact: contact, since: $0) }
        }
        return quiet.filter { now.since($0.since) >= NeighbourWatch.interval }
            .min { $0.since < $1.since }?.contact
    }

    /// A neighbour named those it believes to be the closest to us. One of ours that is not among them, and
    /// would be if the neighbour counted on it, is perhaps gone.
    mutating func compare(_ named: [Contact], by neighbour: Contact, in turn: inout KademliaTurn) {
        guard named.count >= settings.replicas, let last = named.last else { return }
        let names = Set(named.map(\.identity))
        for contact in table.closest(to: id, count: settings.replicas)
        where contact.id.distance(to: id) < last.id.distance(to: id) && contact.identity != neighbour.identity
            && !names.contains(contact.identity)
        {
            doubt(contact.id, after: NeighbourWatch.interval, in: &turn)
        }
    }

    /// How many of the closest to a peer that fell silent are asked about it. Of a neighbour more: it is one
    /// to some who are not the closest to it, and they are to miss it too.
    func reach(of contact: Contact) -> Int {
        let isNeighbour = table.isAmongClosest(contact.id, to: id, count: settings.replicas + 1)
        return isNeighbour ? 2 * settings.replicas : settings.replicas
    }

    /// A peer looks for a node by its very id: to the peer it has fallen silent. If we know it, we ask it, so
    /// that all who are close to it miss it as soon as the first.
    mutating func onSearch(for target: NodeID, by peer: Contact, in turn: inout KademliaTurn) {
        guard peer.id != target else { return }
        doubt(target, after: Reachability.firstBackoff, in: &turn)
    }

    /// Asks a contact that we count on whether it is there, if it was quiet for that long.
    private mutating func doubt(_ id: NodeID, after quiet: Interval, in turn: inout KademliaTurn) {
        let now = turn.now.instant
        guard let entry = table.entry(for: id), let since = entry.reachability.quietSince,
            now.since(since) >= quiet, !entry.reachability.isProbed(at: now)
        else { return }
        table.probed(entry.contact.identity, id: id, at: now)
        call(entry.contact, .ping(isLeaving: false), .upkeep, in: &turn)
    }
}
