import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import Logging

// Machines that show an invitation: docs/protocol.md, section 13.

extension NodeLoop {
    /// Opens an invitation; returns its secret, which is on the disk by then.
    func invite(_ name: String, for lifetime: Duration) async throws(DHTError) -> [UInt8] {
        // An invitation that nobody could let in by is worth nothing.
        let (draft, _) = try board.draft(isContested: engine.rosterState.conflict != nil)
        try draft.refuseTaken(name)
        let now = SystemClock.now
        let secret = SystemEntropy.bytes(InvitationText.secretLength)
        let entry = InvitationBook.Entry(
            secret: secret,
            name: name,
            expires: now.unixMilliseconds +| lifetime.wholeMilliseconds
        )
        switch reception.open(entry, key: board.key.signingKey, at: now) {
        case .opened: break
        case .full:
            throw DHTError(
                .conflict,
                "\(InvitationBook.capacity) invitations are open: wait until one is used or over; "
                    + "nothing was changed"
            )
        case .nameTaken:
            throw DHTError(
                .conflict,
                "an invitation for \(name) is open already: wait until it is used or over; "
                    + "nothing was changed"
            )
        }
        board.shelf.keep(reception.book)
        if let failure = await board.shelf.flush() {
            reception.close(secret)
            throw DHTError(
                failure.code,
                "the invitation cannot be written: \(failure.reason); nothing was changed"
            )
        }
        return secret
    }

    /// Whether a datagram whose header this node's own key does not open is made under the key of an
    /// invitation; then it is dealt with.
    func showsInvitation(_ arrival: DHTEngine.Arrival, at now: Now) -> Bool {
        guard !reception.isEmpty else { return false }
        if reception.closeThoseOver(at: now) { board.shelf.keep(reception.book) }
        switch reception.receive(arrival.datagram, from: arrival.endpoint, at: now) {
        case .arrival(let shown): answer(shown, at: now)
        case .idle: break
        case .stranger: return false
        }
        return true
    }

    private func answer(_ shown: Reception.Arrival, at now: Now) {
        switch reception.judge(shown, at: now) {
        case .over: break
        case .used:
            logger.warning(
                "an invitation is shown that is used up",
                metadata: [
                    "identity": "\(shown.inbound.sender.text)", "from": "\(shown.inbound.endpoint)",
                ]
            )
        case .welcome, .again:
            guard reception.begin(shown) else { break }
            board.shelf.keep(reception.book)
            Task {
                await letIn(shown)
                reception.end(shown)
            }
        }
    }

    /// Nobody is told anything before it is on the disk that the invitation is used up.
    private func letIn(_ shown: Reception.Arrival) async {
        let identity = shown.inbound.sender
        guard let name = reception.name(of: shown) else { return }
        do {
            if let failure = await board.shelf.flush() { throw failure }
            guard !isStopping else { return }
            if board.roster?.list.holds(identity) != true {
                let newcomer = Allowlist.Member(identity: identity, name: name)
                _ = try await publish { try self.board.sign(isContested: $0) { try $0.admit(newcomer) } }
                logger.notice(
                    "an invited machine is let in",
                    metadata: [
                        "name": "\(name)", "identity": "\(identity.text)",
                        "from": "\(shown.inbound.endpoint)",
                    ]
                )
            }
        } catch {
            reception.takeBack(shown)
            board.shelf.keep(reception.book)
            logger.error(
                "an invited machine cannot be let in",
                metadata: [
                    "name": "\(name)", "identity": "\(identity.text)", "reason": "\(error)",
                ]
            )
            return
        }
        welcome(shown)
    }

    private func welcome(_ shown: Reception.Arrival) {
        let now = SystemClock.now
        guard let roster = board.roster, let member = board.list?.member(shown.inbound.sender) else { return }
        var welcome = Welcome(
            networkKey: board.network.networkKey.withBytes { secret in
                unsafe secret.withBytes { unsafe Array($0) }
            },
            name: member.name,
            administrators: roster.list.administrators.map(\.identity)
        )
        defer { wipe(&welcome.networkKey) }
        guard let datagram = reception.answer(shown, welcome, at: now) else { return }
        transmit([(datagram: .sealed(datagram), endpoint: shown.inbound.endpoint)], at: now.instant)
    }
}
