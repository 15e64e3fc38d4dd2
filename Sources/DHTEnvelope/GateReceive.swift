import DHTCore
import DHTCrypto

extension Gate {
    /// A request that passed, and all that is needed to answer it.
    package struct Inquiry: Sendable {
        package let sender: Identity
        package let endpoint: Endpoint
        package let request: Request
        /// Whether the sender proved that it receives at `endpoint`; if not, nothing may change.
        package let isLive: Bool
        package let transaction: UInt64
        /// Of the request: what an answer to an address that is not proved may have at most.
        package let length: Int
        /// The sender has another box key than when it was last heard: it started anew, or a day is over.
        package var showsNewKey = false
        /// `nil` if no real gate opened the request: then none seals an answer to it.
        let boxKey: BoxPublicKey?
        let digest: [UInt8]

        /// The longest answer allowed, in bytes.
        package var longestAnswer: Int { isLive ? Datagram.maximumLength : length }
    }

    /// A response that passed: to `transaction`, which is now closed.
    package struct Answer: Sendable {
        package let sender: Identity
        package let endpoint: Endpoint
        package let transaction: UInt64
        /// Records in it are verified and of the location asked for; contacts are admitted and have unicast
        /// addresses.
        package let response: Response
        /// Records that were taken out of it.
        package let recordsStruckOut: Int
        /// Records and contacts that were taken out of it.
        package let struckOut: Int
        /// Of them the contacts with an address that nobody could send to.
        package let unusable: Int
        /// The sender has another box key than when it was last heard: it started anew, or a day is over.
        package var showsNewKey = false

        /// What is left of `response` once the gate has struck out what does not belong there.
        package init(
            sender: Identity,
            endpoint: Endpoint,
            transaction: UInt64,
            checked: (response: Response, struckOut: StruckOut)
        ) {
            (self.sender, self.endpoint, self.transaction) = (sender, endpoint, transaction)
            response = checked.response
            recordsStruckOut = checked.struckOut.records
            struckOut = checked.struckOut.records + checked.struckOut.contacts
            unusable = checked.struckOut.unusable
        }
    }

    /// How much of a response its sender had no right to put in.
    package struct StruckOut: Hashable, Sendable {
        package var records = 0
        package var contacts = 0
        /// Of the contacts those with an address that nobody could send to.
        package var unusable = 0
    }

    package enum Verdict: Sendable {
        case inquiry(Inquiry)
        case answer(Answer)
        case dropped(DropReason)
    }

    /// One way through the gate, opened but not judged.
    private struct Opened {
        var signature: ArraySlice<UInt8>
        var bodyBytes: ArraySlice<UInt8>
        /// `nil` if it is malformed.
        var body: Body?
        /// The box's key was derived for this datagram and waits in the spare slot.
        var usedSpare: Bool
    }

    /// Judges one datagram: section 4 of the protocol, step by step.
    package mutating func receive(_ datagram: [UInt8], from endpoint: Endpoint, at now: Instant) -> Verdict {
        guard Datagram.lengths.contains(datagram.count) else { return .dropped(.length) }
        guard let headerBytes = keys.openHeader(datagram) else { return .dropped(.header) }
        let header: Header
        switch Header.decode(headerBytes) {
        case .dropped(let reason): return .dropped(reason)
        case .header(let decoded): header = decoded
        }
        guard header.sender != keys.identity else { return .dropped(.self) }
        guard admission.admits(header.sender) else { return .dropped(.admission) }
        switch header.kind {
        case .request: return receiveRequest(datagram, header, headerBytes, from: endpoint, at: now)
        case .response:
            guard pending.awaitsAnswer(from: header.sender, at: endpoint) else {
                return .dropped(.unsolicited)
            }
            let isKnown = sharedKeys.contains(own: header.recipientKeyID, peer: header.senderBoxKey)
            let verdict = receiveResponse(
                datagram,
                header,
                headerBytes,
                isKnown: isKnown,
                from: endpoint,
                at: now
            )
            // Late answers and replays, which cost no public-key operation, say nothing against the answer to
            // come.
            if case .dropped(let reason) = verdict, reason == .signature || (!isKnown && reason != .key) {
                pending.failed(from: header.sender, at: endpoint)
            }
            return verdict
        }
    }

    // MARK: Requests

    private mutating func receiveRequest(
        _ datagram: [UInt8],
        _ header: Header,
        _ headerBytes: [UInt8],
        from endpoint: Endpoint,
        at now: Instant
    ) -> Verdict {
        let session = sessions[header.sender] ?? sessions.fresh(for: header.sender, at: now)
        guard !session.replay.hasSeen(header.counter) else { return .dropped(.replay) }
        guard keys.holds(header.recipientKeyID) else { return .dropped(.key) }
        let isKnown = session.laneKey == header.senderBoxKey
        guard isKnown || lane.admit(endpoint, at: now) else { return .dropped(.lane) }
        guard let opened = open(datagram, header, isKnown: isKnown) else {
            return .dropped(.box)
        }
        guard let body = opened.body, let request = MessageCodec.decodeRequest(body) else {
            return .dropped(.malformed)
        }
        let noDigest = [UInt8](repeating: 0, count: 32)
        let signed = signedInput(
            datagram[Datagram.nonce],
            headerBytes,
            opened.bodyBytes,
            to: keys.identity,
            answering: noDigest
        )
        guard header.sender.verifies(opened.signature, of: signed) else { return .dropped(.signature) }

        guard let place = sessions.place(for: header.sender, at: now) else { return .dropped(.capacity) }
        let epoch = mint.epoch(of: body.token, for: header.sender, at: endpoint, now: now)
        let judgement = sessions[place].replay.judge(header.counter, liveEpoch: epoch, at: now)
        if case .dropped(let reason) = judgement { return .dropped(reason) }
        // Charged last: who replays what the peer once sent does not spend its budget.
        guard sessions[place].budget.take(at: now) else { return .dropped(.budget) }
        let isLive = judgement == .live
        // A record by somebody who may not write is refused by name later; its signature is nobody's concern.
        if isLive, case .store(let record, _) = request, admission.mayWrite(record.author), !accepts(record) {
            return .dropped(.record)
        }

        sessions[place].replay.commit(
            header.counter,
            liveEpoch: epoch,
            currentEpoch: TokenMint.epoch(at: now),
            at: now
        )
        if judgement != .old {
            if opened.usedSpare {
                sharedKeys.keepSpare(own: header.recipientKeyID, peer: header.senderBoxKey)
            }
            sessions[place].laneKey = header.senderBoxKey
            sessions[place].lastAccepted = now
        }
        var inquiry = Inquiry(
            sender: header.sender,
            endpoint: endpoint,
            request: request,
            isLive: isLive,
            transaction: body.transaction,
            length: datagram.count,
            boxKey: header.senderBoxKey,
            digest: blake2b(signed, count: 32)
        )
        if isLive {
            inquiry.showsNewKey = sessions[place].isNew(header.senderBoxKey)
            sessions[place].sendKey = header.senderBoxKey
        }
        return .inquiry(inquiry)
    }

    // MARK: Responses

    private mutating func receiveResponse(
        _ datagram: [UInt8],
        _ header: Header,
        _ headerBytes: [UInt8],
        isKnown: Bool,
        from endpoint: Endpoint,
        at now: Instant
    ) -> Verdict {
        guard keys.holds(header.recipientKeyID) else { return .dropped(.key) }
        guard let opened = open(datagram, header, isKnown: isKnown) else {
            return .dropped(.box)
        }
        guard let body = opened.body, let response = MessageCodec.decodeResponse(body) else {
            return .dropped(.malformed)
        }
        let transaction = body.transaction
        guard let asked = pending[transaction], asked.peer == header.sender, asked.endpoint == endpoint,
            asked.request.operation.rawValue == body.operation
        else { return .dropped(.mismatch) }
        let isSigned = asked.digests.contains { digest in
            let signed = signedInput(
                datagram[Datagram.nonce],
                headerBytes,
                opened.bodyBytes,
                to: keys.identity,
                answering: digest
            )
            return header.sender.verifies(opened.signature, of: signed)
        }
        guard isSigned else { return .dropped(.signature) }
        guard let place = sessions.place(for: header.sender, at: now) else { return .dropped(.capacity) }

        pending.close(transaction)
        let showsNewKey = sessions[place].isNew(header.senderBoxKey)
        if opened.usedSpare { sharedKeys.keepSpare(own: header.recipientKeyID, peer: header.senderBoxKey) }
        sessions[place].answered(
            from: endpoint,
            boxKey: header.senderBoxKey,
            token: body.token,
            at: now
        )
        let checked = strikeOut(response, asked: asked.request, namedBy: endpoint)
        var answer = Answer(
            sender: header.sender,
            endpoint: endpoint,
            transaction: transaction,
            checked: checked
        )
        answer.showsNewKey = showsNewKey
        return .answer(answer)
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
        guard
            let contents = sharedKeys.open(
                slot,
                nonce: datagram[Datagram.nonce],
                datagram[Datagram.boxOffset...]
            )
        else { return nil }
        return Opened(
            signature: contents[..<Datagram.signatureLength],
            bodyBytes: contents[Datagram.signatureLength...],
            body: Body.decode(contents[Datagram.signatureLength...]),
            usedSpare: !isKnown
        )
    }

    private static let context = Array("dht1 envelope".utf8) + [0]

    /// What a sender signs: section 3.
    func signedInput(
        _ nonce: ArraySlice<UInt8>,
        _ header: [UInt8],
        _ body: ArraySlice<UInt8>,
        to recipient: Identity,
        answering digest: [UInt8]
    ) -> [UInt8] {
        var input: [UInt8] = []
        input.reserveCapacity(198 + body.count)
        input.append(contentsOf: Self.context)
        input.append(contentsOf: keys.networkID.bytes)
        recipient.append(to: &input)
        input.append(contentsOf: digest)
        input.append(contentsOf: nonce)
        input.append(contentsOf: header)
        input.append(contentsOf: body)
        return input
    }
}
