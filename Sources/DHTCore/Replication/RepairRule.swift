/// Whether a record is ours to give, and to whom, after contacts came and went: `docs/repair.md`.
///
/// Every node that has the record decides for itself, from its own routing table. Of those that had the
/// record before the changes and are still there, A is the nearest to its location, Z the farthest.
///
/// 1. A acts at once, and Z a while later. Every replica knows A; and Z knows every replica, since all are
///    nearer than itself, when A does not know the newcomer, lacks the record, or is gone unnoticed.
/// 2. When A is gone, the next nearest also makes up for what happened since shortly before A was last
///    heard; so does the next farthest for Z.
/// 3. A peer that we alone cannot reach misses nothing if others stood in for it. If there are no others,
///    the node that put the record gives it to each peer that comes.
struct RepairRule: Sendable {
    enum RepairTurn: Hashable, Sendable {
        case nearest
        case farthest
    }

    private struct Member {
        let distance: Distance
        /// `nil`: we.
        let contact: Contact?
    }

    let own: NodeID
    /// K.
    let replicas: Int
    let turn: RepairTurn
    /// The contact changes being handled.
    var changes: [ContactChange]
    /// Other changes of the last hour.
    var recent: [ContactChange]

    /// The rule among contacts that have the family, if its records have replicas of their own; `nil`: among
    /// all.
    func among(_ family: Endpoint.Family?) -> RepairRule {
        guard let family else { return self }
        var rule = self
        rule.changes.removeAll { !$0.contact.families.contains(family) }
        rule.recent.removeAll { !$0.contact.families.contains(family) }
        return rule
    }

    /// How many of the closest contacts ``successors(of:offeredAt:isAllReachable:among:)`` wants to know.
    var width: Int { replicas * 2 }

    /// The contacts to which we are to give the record at `location`, last offered in the second `offeredAt`.
    /// `isAllReachable`: we put it ourselves, to fewer than there ought to be. `contacts`: the closest ones
    /// known, nearest first, ``width`` of them.
    func successors(
        of location: NodeID,
        offeredAt: UInt32,
        isAllReachable: Bool,
        among contacts: [Contact]
    ) -> [Contact] {
        var members = contacts.map { Member(distance: $0.id.distance(to: location), contact: $0) }
        let ownDistance = own.distance(to: location)
        let ownPlace = members.firstIndex { $0.distance > ownDistance } ?? members.endIndex
        members.insert(Member(distance: ownDistance, contact: nil), at: ownPlace)
        let edge = members.count >= replicas ? members[replicas - 1].distance : nil

        func isConcerned(by change: ContactChange) -> Bool {
            if turn == .farthest, offeredAt > ContactChange.second(of: change.at) { return false }
            return edge.map { change.contact.id.distance(to: location) <= $0 } ?? true
        }
        guard changes.contains(where: isConcerned) else { return [] }
        let forerunners = changes.filter { change in
            guard change.kind == .went || change.kind == .emptied, isConcerned(by: change) else {
                return false
            }
            let distance = change.contact.id.distance(to: location)
            return turn == .nearest ? distance < ownDistance : distance > ownDistance
        }
        var relevant = changes
        if let since = forerunners.map(\.lastHeard).min() {
            relevant += recent.filter { $0.at + Replication.leeway >= since && !changes.contains($0) }
        }
        return targets(
            of: relevant,
            at: location,
            offeredAt: offeredAt,
            isAllReachable: isAllReachable,
            among: members
        )
    }

    /// The contacts that need the record after these changes; none if it is not for us to give.
    private func targets(
        of relevant: [ContactChange],
        at location: NodeID,
        offeredAt: UInt32,
        isAllReachable: Bool,
        among members: [Member]
    ) -> [Contact] {
        // The members before the changes: those that are here now and did not come, and those that went.
        var before = members
        var (lacking, emptied): (Set<Identity>, Set<Identity>) = ([], [])
        for change in relevant {
            let identity = change.contact.identity
            let place = before.firstIndex { $0.contact?.identity == identity }
            switch change.kind {
            case .came, .returned:
                guard let place else { continue }
                before.remove(at: place)
                if change.isMissing(offeredAt) { lacking.insert(identity) }
            case .emptied: emptied.insert(identity)
            case .went:
                guard !members.contains(where: { $0.contact?.identity == identity }) else { continue }
                let distance = change.contact.id.distance(to: location)
                let next = before.firstIndex { $0.distance >= distance } ?? before.endIndex
                before.insert(Member(distance: distance, contact: change.contact), at: next)
            }
        }
        let old = before.prefix(replicas)
        let givers = old.filter { giver in
            members.contains { $0.contact?.identity == giver.contact?.identity }
                && giver.contact.map { !emptied.contains($0.identity) } ?? true
        }
        let giver = turn == .nearest ? givers.first : givers.last
        let isGiver = giver.map { $0.contact == nil } ?? false
        let acts = isGiver && (turn == .nearest || givers.count > 1)
        guard acts || isAllReachable && turn == .nearest else { return [] }
        let present = Set(before.compactMap(\.contact?.identity))
        return members.prefix(replicas).compactMap(\.contact).filter { contact in
            let identity = contact.identity
            guard acts else { return lacking.contains(identity) }
            let movedUp = present.contains(identity) && !old.contains { $0.contact?.identity == identity }
            return movedUp || lacking.contains(identity) || emptied.contains(identity)
        }
    }
}
