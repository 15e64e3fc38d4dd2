import DHTCore
import DHTCrypto

extension Gate {
    /// A request that passed, and all that is needed to answer it.
    package struct InboundRequest: Sendable {
        package let sender: Identity
        package let endpoint: Endpoint
        package let request: Request
        /// Whether the sender proved that it receives at `endpoint`; if not, nothing may change.
        package let isLive: Bool
        package let transaction: UInt64
        /// Bytes of the request: an answer to an address that is not proved may have no more.
        package let length: Int
        /// The sender answered a challenge of ours: it receives at `endpoint`, which was not known.
        package var provesAddress = false
        /// The sender has another box key than before: it started anew, or a day is over.
        package var showsNewKey = false
        /// Where another process with the sender's key is, which runs at the same time.
        package var twin: Endpoint?
        /// The name by which a gate of another kind knows the sender's process.
        package var mark: UInt64 = 0
        /// `nil` if no real gate opened the request: then none seals an answer to it.
        let boxKey: BoxPublicKey?
        /// Of its signed input: the answer is signed over that.
        let digest: Digest

        /// The longest answer allowed, in bytes.
        package var longestAnswer: Int { isLive ? Datagram.maximumLength : length }
    }

    /// A response that passed: to `transaction`, which is now closed.
    package struct InboundResponse: Sendable {
        package let sender: Identity
        package let endpoint: Endpoint
        package let transaction: UInt64
        /// When the transmission of the request went out that this answers.
        package let sent: Instant
        /// Records in the response are verified and of the location asked for; contacts are admitted and have
        /// unicast addresses.
        package let response: Response
        /// Records that were taken out of the response.
        package let recordsStruckOut: Int
        /// Records and contacts that were taken out of the response.
        package let struckOut: Int
        /// Contacts among these that have an address nobody could send to.
        package let unusable: Int
        /// The request was live.
        package var wasLive = true
        /// The sender has another box key than before: it started anew, or a day is over.
        package var showsNewKey = false
        /// The sender hears another process that has our key.
        package let namesTwin: Bool

        /// A response from which the gate has struck out all that does not belong there.
        package init(
            sender: Identity,
            endpoint: Endpoint,
            transaction: UInt64,
            sent: Instant,
            checked: (response: Response, struckOut: Removed)
        ) {
            (self.sender, self.endpoint, self.transaction, self.sent) = (sender, endpoint, transaction, sent)
            response = checked.response
            recordsStruckOut = checked.struckOut.records
            struckOut = checked.struckOut.records + checked.struckOut.contacts
            unusable = checked.struckOut.unusable
            namesTwin = checked.struckOut.namesTwin
        }
    }

    /// How much of a response its sender had no right to put in.
    package struct Removed: Hashable, Sendable {
        package var records = 0
        package var contacts = 0
        /// Of the contacts those with an address that nobody could send to.
        package var unusable = 0
        /// One of the contacts was ourselves.
        package var namesTwin = false
    }

    package enum Verdict: Sendable {
        case request(InboundRequest)
        case answer(InboundResponse)
        case dropped(DropReason)
    }

    /// Judges one datagram: section 4 of the protocol, step by step.
    package mutating func receive(_ datagram: [UInt8], from endpoint: Endpoint, at now: Instant) -> Verdict {
        switch examine(datagram, from: endpoint, at: now) {
        case .dropped(let reason): return .dropped(reason)
        case .opening(var opening):
            prepare(&opening)
            open(&opening)
            return conclude(opening, at: now)
        }
    }

    /// Which requests pass, of those that are opened. A replay of one that was opened at the same time is
    /// told only here.
    package mutating func conclude(_ opening: Opening, at now: Instant) -> Verdict {
        defer { renewChallenges() }
        // One that came together with it may have brought the roster that revokes its sender.
        guard admission.admits(opening.header.sender) else { return .dropped(.admission) }
        switch opening.asked {
        case nil: return concludeRequest(opening, at: now)
        case let asked?: return concludeResponse(opening, to: asked, at: now)
        }
    }

    private mutating func concludeRequest(_ opening: Opening, at now: Instant) -> Verdict {
        let (sender, boxKey) = (opening.header.sender, opening.header.senderBoxKey)
        let counter = opening.header.number
        guard sessions.familiarity(of: sender, boxKey, sending: counter) != nil else {
            return .dropped(.replay)
        }
        if case .failure(let reason) = opening.contents, reason != .signature, reason != .budget {
            return .dropped(reason)
        }
        // A replay has not come as far as this; a datagram of anybody with the network key may have, in the
        // peer's name.
        guard sessions.charge(sender, boxKey, at: now) else { return .dropped(.budget) }
        let (request, body, digest): (Request, Body, Digest)
        switch opening.contents {
        case .failure(let reason): return .dropped(reason)
        case .success(.request(let good, let its, let named)): (request, body, digest) = (good, its, named)
        case .success(.response): preconditionFailure("a request was opened as a response")
        }
        let acceptance = sessions.accept(
            counter,
            of: sender,
            boxKey,
            from: opening.endpoint,
            answersChallenge: answersChallenge(body, sender, boxKey, at: opening.endpoint, now),
            at: now
        )
        guard let acceptance else { return .dropped(.capacity) }
        if opening.usedSpare { sharedKeys.keepSpare(own: opening.header.recipientKeyID, peer: boxKey) }
        // A record by somebody who may not write is refused by name later; its signature is nobody's concern.
        if acceptance.isLive, let record = request.record, admission.mayWrite(record.author),
            !accepts(record)
        {
            return .dropped(.record)
        }
        var inbound = InboundRequest(
            sender: sender,
            endpoint: opening.endpoint,
            request: request,
            isLive: acceptance.isLive,
            transaction: body.number,
            length: opening.length,
            boxKey: boxKey,
            digest: digest
        )
        inbound.provesAddress = acceptance.provesAddress
        inbound.showsNewKey = acceptance.isNewProcess
        inbound.twin = acceptance.twin
        return .request(inbound)
    }

    /// Whether the request carries a challenge that proves what is not known yet.
    private func answersChallenge(
        _ body: Body,
        _ sender: Identity,
        _ boxKey: BoxPublicKey,
        at endpoint: Endpoint,
        _ now: Instant
    ) -> Bool {
        guard body.challenge != 0, !sessions.isProved(sender, boxKey, at: endpoint) else { return false }
        return mint.accepts(body.challenge, for: subject(sender, boxKey, at: endpoint), at: now)
    }

    /// The subject of a challenge: a peer's process at an endpoint.
    func subject(_ peer: Identity, _ boxKey: BoxPublicKey, at endpoint: Endpoint) -> ChallengeMint.Subject {
        ChallengeMint.Subject(
            identity: peer,
            boxKey: boxKey,
            endpoint: endpoint,
            generation: sessions.generation(of: peer)
        )
    }

    private mutating func concludeResponse(
        _ opening: Opening,
        to asked: PendingRequests.Pending,
        at now: Instant
    ) -> Verdict {
        let header = opening.header
        // Another answer to it may have been opened at the same time.
        guard pending[header.number] != nil else { return .dropped(.unsolicited) }
        let (response, body, sent): (Response, Body, Instant)
        switch opening.contents {
        case .failure(let reason):
            // Under a known key nothing but a signature costs a public-key operation.
            if !opening.isKnown || reason == .signature {
                pending.failed(header.number, isKnown: opening.isKnown)
            }
            if !opening.isKnown { _ = junk.take(at: now) }
            return .dropped(reason)
        case .success(.response(let good, let its, let when)): (response, body, sent) = (good, its, when)
        case .success(.request): preconditionFailure("a response was opened as a request")
        }
        let isNews = sessions.answered(
            header.sender,
            header.senderBoxKey,
            from: opening.endpoint,
            counter: body.number,
            challenge: body.challenge,
            ownKey: header.recipientKeyID,
            at: now
        )
        guard let isNews else { return .dropped(.capacity) }
        pending.close(header.number)
        if opening.usedSpare { sharedKeys.keepSpare(own: header.recipientKeyID, peer: header.senderBoxKey) }
        var answer = InboundResponse(
            sender: header.sender,
            endpoint: opening.endpoint,
            transaction: header.number,
            sent: sent,
            checked: filter(response, asked: asked.request, namedBy: opening.endpoint)
        )
        answer.wasLive = body.challenge == 0
        answer.showsNewKey = isNews
        return .answer(answer)
    }
}
