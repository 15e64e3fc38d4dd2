import DHTCore
import DHTCrypto

extension Gate {
    /// How a request is sent.
    package struct SealOptions: Sendable {
        /// Names the request; the same for all its transmissions.
        package var transaction: UInt64
        /// For the identity's static key whatever box key it last showed: it may have restarted.
        package var usesStaticKey: Bool
        /// The length of the answer it should make room for, if it may not be live.
        package var answerLength: Int

        package init(
            transaction: UInt64,
            usesStaticKey: Bool = false,
            answerLength: Int = Datagram.minimumLength
        ) {
            self.transaction = transaction
            self.usesStaticKey = usesStaticKey
            self.answerLength = answerLength
        }
    }

    /// The datagram for a request; its answer is awaited from now on, until ``close(_:)``.
    ///
    /// `nil` if the peer is not admitted, or has no key to send to: then there is nothing to send and nothing
    /// awaited.
    package mutating func draft(
        _ request: Request,
        to peer: Identity,
        at endpoint: Endpoint,
        _ options: SealOptions,
        now: Instant
    ) -> Outgoing? {
        let ownKey = keys.boxPublicKey.id
        guard peer != keys.identity, admission.admits(peer),
            let place = sessions.place(for: peer, at: now),
            let key = recipientKey(of: place, isStatic: options.usesStaticKey),
            let addressee = addressee(peer, key.id, key.key),
            let (counter, challenge) = sessions.outgoing(for: peer, ownKey: ownKey, at: now)
        else { return nil }
        renewChallenges()
        let payload = MessageCodec.encode(request)
        let mayBeLive = key.id != KeyRing.staticKeyID && expectsLife(of: peer, at: endpoint, now: now)
        let wanted =
            mayBeLive ? payload.count : max(payload.count, options.answerLength - Datagram.overhead)
        guard let length = Datagram.length(forPayload: wanted) else {
            preconditionFailure("no request has a payload of \(wanted) bytes")
        }
        let body = Body(
            operation: request.operation.rawValue,
            status: 0,
            number: options.transaction,
            challenge: challenge,
            payload: payload[...]
        )
        let draft = draft(
            .request,
            number: counter,
            body,
            length: length,
            to: addressee,
            answering: SignedInput.noDigest
        )
        pending.sent(
            options.transaction,
            to: peer,
            at: endpoint,
            request,
            PendingRequests.Transmission(digest: draft.digest, sent: now)
        )
        return .draft(draft)
    }

    /// No more answers to this transaction are looked at.
    package mutating func close(_ transaction: UInt64) { pending.close(transaction) }

    /// A transaction id nobody can guess.
    package mutating func makeTransaction() -> UInt64 { entropy.next() }

    /// The datagram that answers a request: no longer than it, unless its sender proved its address. `nil` if
    /// the sender was taken off the list since it asked.
    package mutating func draft(_ response: Response, to inbound: InboundRequest, now: Instant) -> Outgoing? {
        guard admission.admits(inbound.sender), let boxKey = inbound.boxKey,
            let addressee = addressee(inbound.sender, boxKey.id, boxKey)
        else { return nil }
        let room = inbound.longestAnswer - Datagram.overhead
        let (status, payload) = MessageCodec.encode(response, room: room)
        guard let length = Datagram.length(forPayload: payload.count) else {
            preconditionFailure("no response has a payload of \(payload.count) bytes")
        }
        let body = Body(
            operation: inbound.request.operation.rawValue,
            status: status,
            number: sessions.lastCounter(to: inbound.sender, ownKey: keys.boxPublicKey.id),
            challenge: inbound.isLive
                ? 0 : mint.challenge(for: subject(inbound.sender, boxKey, at: inbound.endpoint), at: now),
            payload: payload[...]
        )
        if inbound.isLive {
            sessions.answering(
                inbound.sender,
                boxKey,
                at: inbound.endpoint,
                ownKey: keys.boxPublicKey.id,
                now: now
            )
        }
        let draft = draft(
            .response,
            number: inbound.transaction,
            body,
            length: length,
            to: addressee,
            answering: inbound.digest
        )
        return .draft(draft)
    }

    /// The key a request is for: the one the peer last showed, or its static one.
    private mutating func recipientKey(of place: Int, isStatic: Bool) -> (id: UInt32, key: BoxPublicKey)? {
        if !isStatic, let shown = sessions[place: place].sendKey { return (shown.id, shown) }
        if sessions[place: place].staticKey == nil {
            sessions[place: place].staticKey = sessions[place: place].identity.staticBoxKey
        }
        return sessions[place: place].staticKey.map { (KeyRing.staticKeyID, $0) }
    }

    /// The addressee of a datagram; `nil` if the key is no good.
    mutating func addressee(_ identity: Identity, _ keyID: UInt32, _ key: BoxPublicKey) -> Addressee? {
        let pair = SharedKeyCache.Pair(own: keys.boxPublicKey.id, peer: key)
        guard let slot = sharedKeys.slot(own: pair.own, peer: pair.peer, keys: keys) else { return nil }
        return Addressee(identity: identity, keyID: keyID, pair: pair, slot: slot)
    }

    /// A datagram of that length with a body; the tests rebuild the vectors with it.
    mutating func draft(
        _ kind: Header.Kind,
        number: UInt64,
        _ body: Body,
        length: Int,
        to addressee: Addressee,
        answering digest: Digest
    ) -> Draft {
        let header = Header(
            kind: kind,
            recipientKeyID: addressee.keyID,
            number: number,
            sender: keys.identity,
            senderBoxKey: keys.boxPublicKey
        )
        let bodyLength = length - Datagram.overhead + Body.fieldsLength
        var signed = SignedInput(
            header,
            network: keys.networkID,
            to: addressee.identity,
            answering: digest,
            bodyLength: bodyLength
        ) { bytes in
            for _ in 0..<Datagram.nonceLength / 8 { bytes.appendBigEndian(entropy.next()) }
        }
        signed.appendBody { body.append(to: &$0, length: bodyLength) }
        return Draft(signed, to: addressee)
    }
}
