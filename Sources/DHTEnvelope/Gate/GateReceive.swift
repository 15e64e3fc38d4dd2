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
        let digest: [UInt8]

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

    /// One way through the gate, opened but not judged.
    private struct Opened {
        var signature: ArraySlice<UInt8>
        var bodyBytes: ArraySlice<UInt8>
        /// The decoded body; `nil` if it is malformed.
        var body: Body?
        /// The box's key was derived for this datagram and waits in the spare slot.
        var usedSpare: Bool
        /// The response that the body holds, and when the request went out that it answers; `nil` for a
        /// request.
        var response: (Response, to: Instant)?
    }

    /// Judges one datagram: section 4 of the protocol, step by step.
    package mutating func receive(_ datagram: [UInt8], from endpoint: Endpoint, at now: Instant) -> Verdict {
        guard Datagram.lengths.contains(datagram.count) else { return .dropped(.length) }
        let header: Header
        switch keys.openHeader(datagram) {
        case nil: return .dropped(.header)
        case .dropped(let reason)?: return .dropped(reason)
        case .header(let decoded)?: header = decoded
        }
        guard header.sender != keys.identity else { return .dropped(.self) }
        guard admission.admits(header.sender) else {
            knocks.record(header.sender, from: endpoint, at: now)
            return .dropped(.admission)
        }
        switch header.kind {
        case .request: return receiveRequest(datagram, header, from: endpoint, at: now)
        case .response: return receiveResponse(datagram, header, from: endpoint, at: now)
        }
    }

    // MARK: Requests

    private mutating func receiveRequest(
        _ datagram: [UInt8],
        _ header: Header,
        from endpoint: Endpoint,
        at now: Instant
    ) -> Verdict {
        let (sender, boxKey) = (header.sender, header.senderBoxKey)
        guard let familiarity = sessions.familiarity(of: sender, boxKey, sending: header.number) else {
            return .dropped(.replay)
        }
        guard keys.holds(header.recipientKeyID) else { return .dropped(.key) }
        let isKnown = isKeyKnown(familiarity, header)
        guard isKnown || lane.admit(endpoint, at: now) else { return .dropped(.lane) }
        guard let opened = open(datagram, header, isKnown: isKnown) else { return .dropped(.box) }
        guard let body = opened.body, let request = MessageCodec.decodeRequest(body) else {
            return .dropped(.malformed)
        }
        // A replay has not come as far as this; a datagram of anybody with the network key may have, in the
        // peer's name.
        guard sessions.charge(sender, boxKey, at: now) else { return .dropped(.budget) }
        let signed = signedInput(
            datagram[Datagram.nonce],
            header.encoded,
            opened.bodyBytes,
            to: keys.identity,
            answering: Self.noDigest
        )
        guard sender.verifies(opened.signature, of: signed) else { return .dropped(.signature) }
        let acceptance = sessions.accept(
            header.number,
            of: sender,
            boxKey,
            from: endpoint,
            answersChallenge: answersChallenge(body, sender, boxKey, at: endpoint, now),
            at: now
        )
        renewChallenges()
        guard let acceptance else { return .dropped(.capacity) }
        if opened.usedSpare { sharedKeys.keepSpare(own: header.recipientKeyID, peer: boxKey) }
        // A record by somebody who may not write is refused by name later; its signature is nobody's concern.
        if acceptance.isLive, let record = request.record, admission.mayWrite(record.author),
            !accepts(record)
        {
            return .dropped(.record)
        }
        var inbound = InboundRequest(
            sender: sender,
            endpoint: endpoint,
            request: request,
            isLive: acceptance.isLive,
            transaction: body.number,
            length: datagram.count,
            boxKey: boxKey,
            digest: blake2b(signed, count: 32)
        )
        inbound.provesAddress = acceptance.provesAddress
        inbound.showsNewKey = acceptance.isNewProcess
        inbound.twin = acceptance.twin
        return .request(inbound)
    }

    /// Whether the request takes no lane. A session's key is derived again if need be, and there is room for
    /// those of all; of the first contacts remembered there may be more than keys.
    private func isKeyKnown(_ familiarity: SessionTable.Familiarity, _ header: Header) -> Bool {
        switch familiarity {
        case .known: true
        case .remembered: sharedKeys.contains(own: header.recipientKeyID, peer: header.senderBoxKey)
        case .unknown: false
        }
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

    // MARK: Responses

    private mutating func receiveResponse(
        _ datagram: [UInt8],
        _ header: Header,
        from endpoint: Endpoint,
        at now: Instant
    ) -> Verdict {
        let transaction = header.number
        guard let asked = pending.awaits(transaction, from: header.sender, at: endpoint) else {
            return .dropped(.unsolicited)
        }
        guard keys.holds(header.recipientKeyID) else { return .dropped(.key) }
        let isKnown = sharedKeys.contains(own: header.recipientKeyID, peer: header.senderBoxKey)
        if isKnown {
            guard asked.forgeries < PendingRequests.failureLimit else { return .dropped(.unsolicited) }
        } else {
            guard asked.failures < PendingRequests.failureLimit, junk.hasOne(at: now) else {
                return .dropped(.lane)
            }
        }
        let opened: Opened
        switch openAnswer(datagram, header, to: asked, isKnown: isKnown) {
        case .success(let good): opened = good
        case .failure(let reason):
            // Under a known key nothing but a signature costs a public-key operation.
            if !isKnown || reason == .signature { pending.failed(transaction, isKnown: isKnown) }
            if !isKnown { _ = junk.take(at: now) }
            return .dropped(reason)
        }
        guard let body = opened.body, let (response, sent) = opened.response else {
            return .dropped(.malformed)
        }
        let isNews = sessions.answered(
            header.sender,
            header.senderBoxKey,
            from: endpoint,
            counter: body.number,
            challenge: body.challenge,
            ownKey: header.recipientKeyID,
            at: now
        )
        renewChallenges()
        guard let isNews else { return .dropped(.capacity) }
        pending.close(transaction)
        if opened.usedSpare { sharedKeys.keepSpare(own: header.recipientKeyID, peer: header.senderBoxKey) }
        var answer = InboundResponse(
            sender: header.sender,
            endpoint: endpoint,
            transaction: transaction,
            sent: sent,
            checked: filter(response, asked: asked.request, namedBy: endpoint)
        )
        answer.wasLive = body.challenge == 0
        answer.showsNewKey = isNews
        return .answer(answer)
    }

    /// Steps 8 to 11 for a response.
    private mutating func openAnswer(
        _ datagram: [UInt8],
        _ header: Header,
        to asked: PendingRequests.Pending,
        isKnown: Bool
    ) -> Result<Opened, DropReason> {
        guard var opened = open(datagram, header, isKnown: isKnown) else { return .failure(.box) }
        guard let body = opened.body, let response = MessageCodec.decodeResponse(body) else {
            return .failure(.malformed)
        }
        guard asked.request.operation.rawValue == body.operation else { return .failure(.mismatch) }
        let headerBytes = header.encoded
        let transmission = asked.transmissions.first { transmission in
            let signed = signedInput(
                datagram[Datagram.nonce],
                headerBytes,
                opened.bodyBytes,
                to: keys.identity,
                answering: transmission.digest
            )
            return header.sender.verifies(opened.signature, of: signed)
        }
        guard let transmission else { return .failure(.signature) }
        opened.response = (response, to: transmission.sent)
        return .success(opened)
    }

    // MARK: Opening

    /// Opens the box and reads the body. An unknown key is derived into the spare slot, displacing nothing.
    private mutating func open(
        _ datagram: [UInt8],
        _ header: Header,
        isKnown: Bool
    ) -> Opened? {
        let slot: Int
        if isKnown {
            guard
                let known = sharedKeys.slot(own: header.recipientKeyID, peer: header.senderBoxKey, keys: keys)
            else { return nil }
            slot = known
        } else {
            guard sharedKeys.deriveSpare(own: header.recipientKeyID, peer: header.senderBoxKey, keys: keys)
            else { return nil }
            slot = sharedKeys.spareSlot
        }
        guard let contents = sharedKeys.open(slot, datagram) else { return nil }
        return Opened(
            signature: contents[..<Datagram.signatureLength],
            bodyBytes: contents[Datagram.signatureLength...],
            body: Body.decode(contents[Datagram.signatureLength...]),
            usedSpare: !isKnown
        )
    }

    private static let context = Array("dht1 envelope".utf8) + [0]
    /// The digest that a request answers: there is none.
    static let noDigest = [UInt8](repeating: 0, count: 32)

    /// The bytes that a sender signs: section 3.
    private func signedInput(
        _ nonce: ArraySlice<UInt8>,
        _ header: [UInt8],
        _ body: ArraySlice<UInt8>,
        to recipient: Identity,
        answering digest: [UInt8]
    ) -> [UInt8] {
        var input = signedInput(nonce, header, to: recipient, answering: digest, bodyLength: body.count)
        input.append(contentsOf: body)
        return input
    }

    /// The bytes that a sender signs before the body, and room for that.
    func signedInput(
        _ nonce: ArraySlice<UInt8>,
        _ header: [UInt8],
        to recipient: Identity,
        answering digest: [UInt8],
        bodyLength: Int
    ) -> [UInt8] {
        var input: [UInt8] = []
        input.reserveCapacity(198 + bodyLength)
        input.append(contentsOf: Self.context)
        input.append(contentsOf: keys.networkID.bytes)
        recipient.append(to: &input)
        input.append(contentsOf: digest)
        input.append(contentsOf: nonce)
        input.append(contentsOf: header)
        return input
    }
}
