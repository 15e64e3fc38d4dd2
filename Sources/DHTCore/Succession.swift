/// Who gives a record to whom after contacts came and went.
///
/// Every node that has the record decides for itself, from its own table. All that is certain is that a node
/// among the closest knows those nearer than itself; so of the ones who had the record before two are to act:
/// the nearest at once, and the farthest, who knows best who came before it, a while later, in case the first
/// one does not know the newcomer, lacks the record, or is gone without anybody having noticed. When one of
/// the two is found to be gone, who follows it also makes up for all that happened since shortly before that
/// one was last heard.
///
/// Whom one node cannot reach the others may never have missed, so they have nothing to make up for. Where
/// others stood in for the one that was not reached, those know. Where there are no others, whoever put the
/// record gives it to all who come, too.
struct Succession: Sendable {
    enum Duty: Hashable, Sendable {
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
    let duty: Duty
    /// What this is about.
    let changes: [Turnover]
    /// What else happened of late.
    let recent: [Turnover]

    /// How many of the closest contacts ``successors(of:offeredAt:isScarce:among:)`` wants to know.
    var width: Int { replicas * 2 }

    /// Whom we are to give the record at `location`, last offered in the second `offeredAt`. `isScarce`: we
    /// put it ourselves, to fewer than there ought to be. `contacts`: the closest ones known, nearest first,
    /// ``width`` of them.
    func successors(
        of location: NodeID,
        offeredAt: UInt32,
        isScarce: Bool,
        among contacts: [Contact]
    ) -> [Contact] {
        var members = contacts.map { Member(distance: $0.id.distance(to: location), contact: $0) }
        let ownDistance = own.distance(to: location)
        let ownPlace = members.firstIndex { $0.distance > ownDistance } ?? members.endIndex
        members.insert(Member(distance: ownDistance, contact: nil), at: ownPlace)
        let edge = members.count >= replicas ? members[replicas - 1].distance : nil

        func isConcerned(by change: Turnover) -> Bool {
            if duty == .farthest, offeredAt > Turnover.second(of: change.at) { return false }
            return edge.map { change.contact.id.distance(to: location) <= $0 } ?? true
        }
        guard changes.contains(where: isConcerned) else { return [] }
        let forerunners = changes.filter { change in
            guard change.kind == .went || change.kind == .emptied, isConcerned(by: change) else {
                return false
            }
            let distance = change.contact.id.distance(to: location)
            return duty == .nearest ? distance < ownDistance : distance > ownDistance
        }
        var relevant = changes
        if let since = forerunners.map(\.lastHeard).min() {
            relevant += recent.filter { $0.at + Replication.leeway >= since && !changes.contains($0) }
        }
        return targets(of: relevant, at: location, offeredAt: offeredAt, isScarce: isScarce, among: members)
    }

    /// Who needs the record after these changes; nobody if it is not for us to give.
    private func targets(
        of relevant: [Turnover],
        at location: NodeID,
        offeredAt: UInt32,
        isScarce: Bool,
        among members: [Member]
    ) -> [Contact] {
        // Who was among the closest before: of those who are here now and did not come, and those who went.
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
        let giver = duty == .nearest ? givers.first : givers.last
        let isGiver = giver.map { $0.contact == nil } ?? false
        let acts = isGiver && (duty == .nearest || givers.count > 1)
        guard acts || isScarce && duty == .nearest else { return [] }
        let present = Set(before.compactMap(\.contact?.identity))
        return members.prefix(replicas).compactMap(\.contact).filter { contact in
            let identity = contact.identity
            guard acts else { return lacking.contains(identity) }
            let movedUp = present.contains(identity) && !old.contains { $0.contact?.identity == identity }
            return movedUp || lacking.contains(identity) || emptied.contains(identity)
        }
    }
}
