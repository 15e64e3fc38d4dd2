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
    package mutating func seal(
        _ request: Request,
        to peer: Identity,
        at endpoint: Endpoint,
        _ options: SealOptions,
        now: Instant
    ) -> [UInt8]? {
        let ownKey = keys.boxPublicKey.id
        guard peer != keys.identity, admission.admits(peer),
            let place = sessions.place(for: peer, at: now),
            let (keyID, boxKey) = recipientKey(of: place, isStatic: options.usesStaticKey),
            let slot = sharedKeys.slot(own: ownKey, peer: boxKey, keys: keys),
            let (counter, challenge) = sessions.outgoing(for: peer, ownKey: ownKey, at: now)
        else { return nil }
        renewChallenges()
        let payload = MessageCodec.encode(request)
        let mayBeLive = keyID != KeyRing.staticKeyID && expectsLife(of: peer, at: endpoint, now: now)
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
            payload: payload
        )
        let (datagram, signed) = seal(
            .request,
            number: counter,
            body,
            length: length,
            to: peer,
            keyID: keyID,
            slot: slot,
            answering: Self.noDigest
        )
        pending.sent(
            options.transaction,
            to: peer,
            at: endpoint,
            request,
            PendingRequests.Transmission(digest: blake2b(signed, count: 32), sent: now)
        )
        return datagram
    }

    /// No more answers to this transaction are looked at.
    package mutating func close(_ transaction: UInt64) { pending.close(transaction) }

    /// A transaction id nobody can guess.
    package mutating func makeTransaction() -> UInt64 { entropy.next() }

    /// The datagram that answers a request: no longer than it, unless its sender proved its address. `nil` if
    /// the sender was taken off the list since it asked.
    package mutating func seal(_ response: Response, to inbound: InboundRequest, now: Instant) -> [UInt8]? {
        guard admission.admits(inbound.sender), let boxKey = inbound.boxKey,
            let slot = sharedKeys.slot(own: keys.boxPublicKey.id, peer: boxKey, keys: keys)
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
            payload: payload
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
        return seal(
            .response,
            number: inbound.transaction,
            body,
            length: length,
            to: inbound.sender,
            keyID: boxKey.id,
            slot: slot,
            answering: inbound.digest
        ).datagram
    }

    /// The key a request is for: the one the peer last showed, or its static one.
    private mutating func recipientKey(of place: Int, isStatic: Bool) -> (id: UInt32, key: BoxPublicKey)? {
        if !isStatic, let shown = sessions[place: place].sendKey { return (shown.id, shown) }
        if sessions[place: place].staticKey == nil {
            sessions[place: place].staticKey = sessions[place: place].identity.staticBoxKey
        }
        return sessions[place: place].staticKey.map { (KeyRing.staticKeyID, $0) }
    }

    /// Signs, boxes and masks a body; the tests rebuild the vectors with it.
    mutating func seal(
        _ kind: Header.Kind,
        number: UInt64,
        _ body: Body,
        length: Int,
        to peer: Identity,
        keyID: UInt32,
        slot: Int,
        answering digest: [UInt8]
    ) -> (datagram: [UInt8], signed: [UInt8]) {
        var datagram: [UInt8] = []
        datagram.reserveCapacity(length)
        for _ in 0..<Datagram.nonceLength / 8 { datagram.appendBigEndian(entropy.next()) }
        let header = Header(
            kind: kind,
            recipientKeyID: keyID,
            number: number,
            sender: keys.identity,
            senderBoxKey: keys.boxPublicKey
        ).encoded
        let bodyLength = length - Datagram.overhead + Body.fieldsLength
        var signed = signedInput(
            datagram[Datagram.nonce],
            header,
            to: peer,
            answering: digest,
            bodyLength: bodyLength
        )
        let bodyStart = signed.count
        body.append(to: &signed, length: bodyLength)
        var boxed: [UInt8] = []
        boxed.reserveCapacity(Datagram.signatureLength + bodyLength)
        keys.signing.sign(signed, appendingTo: &boxed)
        boxed.append(contentsOf: signed[bodyStart...])
        keys.sealHeader(header, for: peer, to: &datagram)
        sharedKeys.seal(slot, boxed, to: &datagram)
        return (datagram, signed)
    }
}
