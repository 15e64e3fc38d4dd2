import DHTCore
import DHTCrypto
import DHTEnvelope

/// The roster to come, as its administrator writes it: the present one's text with a change.
struct RosterDraft {
    /// The list that counts now, the operator's own and the roster's together.
    let list: Allowlist
    /// The present roster's own list; `nil`: this one is the first, and has all of the files.
    let signed: Allowlist?
    /// There are two of the present serial: a change that nobody needs is signed all the same, for the other
    /// one may not have it.
    let isContested: Bool
    private let administrators: [Allowlist.Administrator]
    private(set) var text: RosterText

    init(after present: Roster?, list: Allowlist, isContested: Bool) {
        (self.list, signed, self.isContested) = (list, present?.list, isContested)
        administrators = (present?.list ?? list).administrators
        guard let present else {
            text = RosterText(members: list.members, administrators: administrators)
            for revocation in list.revoked { text.revoke(revocation.identity, name: revocation.name) }
            return
        }
        text = RosterText(present.text)
    }

    func mayBeSigned(by identity: Identity) -> Bool { administrators.contains { $0.identity == identity } }

    /// Adds a line for somebody new; the error says why there can be none.
    mutating func admit(_ member: Allowlist.Member) throws(DHTError) {
        if let known = signed?.member(member.identity) {
            if isContested { return }
            throw DHTError(.conflict, "\(known.name) is a member already; nothing was changed")
        }
        if let old = list.revoked.first(where: { $0.identity == member.identity }) {
            throw DHTError(
                .conflict,
                "\(old.name) is revoked, and stays so: it needs another key; nothing was changed"
            )
        }
        try refuseTaken(member.name, besides: member.identity)
        // The first roster has all members of the files.
        if signed != nil || !list.holds(member.identity) { text.admit(member) }
    }

    /// Throws if a member has the name, but for this one.
    func refuseTaken(_ name: String, besides identity: Identity? = nil) throws(DHTError) {
        let members = list.members + (signed?.members ?? [])
        guard let other = members.first(where: { $0.name == name && $0.identity != identity }) else { return }
        throw DHTError(
            .conflict,
            "the name \(name) is taken by \(other.identity.text); nothing was changed"
        )
    }

    /// Puts a line that revokes somebody in the place of all others about it.
    mutating func revoke(_ member: Identity) throws(DHTError) {
        if signed?.revoked.contains(where: { $0.identity == member }) == true {
            if isContested { return }
            throw DHTError(.conflict, "it is revoked already; nothing was changed")
        }
        if administrators.map(\.identity) == [member] {
            throw DHTError(
                .invalidArgument,
                "that is the only administrator: name another one first; nothing was changed"
            )
        }
        let name =
            list.member(member)?.name
            ?? administrators.first { $0.identity == member }?.name
            ?? String(member.text.prefix(12))
        text.revoke(member, name: name)
    }
}

extension MembershipBoard {
    /// The next roster, made of the present one's text; nothing counts yet.
    func sign(isContested: Bool, _ change: (inout RosterDraft) throws -> Void) throws -> Roster {
        var (draft, administrator) = try draft(isContested: isContested)
        let present = roster
        guard let serial = Roster.serial(after: present?.serial ?? 0) else {
            throw DHTError(
                .conflict,
                "the roster has the highest serial there is: begin anew, from files; nothing was changed"
            )
        }
        try change(&draft)
        return try Roster.sign(
            draft.text.bytes,
            serial: serial,
            time: SystemClock.now.unixMilliseconds / 1000,
            with: administrator.signingKey,
            network: network.networkKey.id,
            file: "roster"
        )
    }

    /// The roster to come, and the key that signs it; the error says why there can be none.
    func draft(isContested: Bool) throws(DHTError) -> (RosterDraft, NodeKey) {
        guard let list else {
            throw DHTError(.configuration, "every holder of the network key is admitted: there are no lists")
        }
        guard let administrator else {
            throw DHTError(
                .denied,
                "this node has no administrator's key: do it where that is; nothing was changed",
                remedy: .administrator
            )
        }
        let draft = RosterDraft(after: roster, list: list, isContested: isContested)
        guard draft.mayBeSigned(by: administrator.identity) else {
            throw DHTError(
                .denied,
                "\(administrator.identity.text), whose key this node has, is no administrator; "
                    + "nothing was changed"
            )
        }
        return (draft, administrator)
    }
}
