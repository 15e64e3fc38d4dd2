import DHTCore
import DHTCrypto
import DHTEnvelope

// Rosters: the engine tells their machine of events, and does the steps that follow.

extension GatedEngine where Keeper: ~Copyable {
    /// Replaces the operator's own lists. Peers that are admitted no more are out at once: nobody waits for
    /// their answers, and nothing they asked is answered. Records of authors who may no longer write are
    /// treated as absent from now on, but kept for a while: the next list may let them again.
    package mutating func replaceAdmission(_ policy: AdmissionPolicy, in turn: inout EngineTurn) {
        consult(in: &turn) { $0.replace(policy, &$1) }
        applyAdmission(in: &turn)
    }

    /// Begins to follow rosters, before anything else happens. `roster`: of the process before this one, or
    /// one that the operator starts the node with; `nil`: there is none.
    package mutating func follow(_ roster: Roster?, at now: Instant) {
        self.roster.begin(with: roster, at: now)
        let policy = self.roster.policy
        gate.replaceAdmission(policy)
        core.mute { !policy.mayWrite($0) }
    }

    /// The standing of a roster beside the one that counts here.
    package func judge(_ roster: Roster) -> RosterKeeper.Verdict { self.roster.keeper.judge(roster.head) }

    /// A roster of this node's own user, who wants everybody to have it.
    package mutating func publish(
        _ roster: Roster,
        in turn: inout EngineTurn
    ) -> RosterKeeper.Verdict {
        var verdict = RosterKeeper.Verdict.older
        consult(in: &turn) { verdict = $0.publish(roster, &$1) }
        return verdict
    }

    /// The roster that counts here, if any, and what is known of others'.
    package var rosterState: RosterState {
        RosterState(
            held: roster.keeper.held,
            conflict: roster.keeper.conflict,
            administrators: roster.keeper.administrators,
            missing: roster.missing
        )
    }

    /// A peer's last word on the roster it holds, and since when it says so; `nil`: it said nothing yet.
    package func rosterWord(of peer: Identity) -> (mark: RosterMark, since: Instant)? {
        roster.word(of: peer)
    }

    /// Lets something happen to rosters, and does what follows.
    mutating func consult(
        in turn: inout EngineTurn,
        _ event: (inout RosterDesk, inout RosterTurn) -> Void
    ) {
        var inner = RosterTurn(at: turn.now.instant, table: core.table)
        event(&roster, &inner)
        counters.rosters = roster.counters
        for step in inner.steps {
            switch step {
            case .ask(let call, let contact, let request):
                start(call, contact, request, isConfigured: false, in: &turn)
            case .drop(let call): drop(call)
            case .adopted(let roster):
                applyAdmission(in: &turn)
                turn.actions.append(.adopted(roster))
            case .conflicting(let conflict): turn.actions.append(.conflicting(conflict))
            }
        }
    }

    /// A peer told in a live PING which roster it holds.
    mutating func onRosterMark(of inbound: Gate.InboundRequest, in turn: inout EngineTurn) {
        guard inbound.isLive, case .ping(false, let mark) = inbound.request else { return }
        let id = gate.admission.nodeID(of: inbound.sender)
        let contact = Contact(identity: inbound.sender, id: id, endpoint: inbound.endpoint)
        consult(in: &turn) { $0.heard(mark ?? .none, from: contact, &$1) }
    }

    /// A peer answered PING, and said which roster it holds: with a mark of its own, or by none.
    mutating func onRosterMark(
        _ mark: RosterMark?,
        of contact: Contact,
        sent: Instant,
        in turn: inout EngineTurn
    ) {
        guard let mark = mark ?? roster.mark(impliedBy: sent) else { return }
        consult(in: &turn) { $0.heard(mark, from: contact, &$1) }
    }

    /// The request as it goes out: a PING tells which roster we hold.
    func telling(_ request: Request) -> Request {
        guard case .ping(let isLeaving, _) = request, let held = roster.keeper.held else { return request }
        return .ping(isLeaving: isLeaving, roster: held.mark)
    }

    /// The answer as it goes out: one to PING tells which roster we hold, if it is another than the asker's.
    func telling(_ response: Response, to request: Request) -> Response {
        guard case .ping(_, let mark) = request,
            case .pong(let observed, let endpoints, let view, _) = response
        else { return response }
        let own = roster.keeper.mark
        guard own != mark ?? .none else { return response }
        return .pong(observed: observed, endpoints: endpoints, view: view, roster: own)
    }

    /// Answers a request for the head of our roster, or for a part of its text; `false`: it is none.
    mutating func handleRoster(
        _ id: RequestID,
        _ inbound: Gate.InboundRequest,
        in turn: inout EngineTurn
    ) -> Bool {
        switch inbound.request {
        case .findRoster:
            reply(id, roster.keeper.held.map { .roster($0.head) } ?? .absent, in: &turn)
            return true
        case .findChunk(let content, let part, let chunk):
            guard inbound.isLive, let held = roster.keeper.held, held.head.text.digest == content else {
                return false
            }
            let range = held.head.text.range(of: Int(chunk), in: part)
            let bytes = range.flatMap { range in held.part(part).map { Array($0[range]) } }
            reply(id, bytes.map { .chunk($0) } ?? .absent, in: &turn)
            return true
        default: return false
        }
    }

    /// Has the rule that counts now be the one that is applied.
    private mutating func applyAdmission(in turn: inout EngineTurn) {
        let policy = roster.policy
        gate.replaceAdmission(policy)
        core.forget { !policy.admits($0) }
        core.mute { !policy.mayWrite($0) }
        inboundRequests = inboundRequests.filter { policy.admits($0.value.sender) }
        views.forget { !policy.admits($0) }
        transfers.expel { !policy.admits($0) }
        transfer(in: &turn) { transfers, turn in transfers.silence(&turn) { !policy.mayWrite($0) } }
        roster.forget { !policy.admits($0) }
        for id in calls.ids(where: { !policy.admits($0.contact.identity) }) {
            // The end of one may be that of others.
            if let call = calls[id] { giveUp(call, isExpelled: true, in: &turn) }
        }
    }
}

/// The roster that counts at a node.
package struct RosterState: Sendable {
    /// `nil`: none does, the node has its own lists.
    package let held: Roster?
    package let conflict: RosterKeeper.Conflict?
    /// Those who may sign the next one.
    package let administrators: [Identity]
    package let missing: MissingRoster?
}
