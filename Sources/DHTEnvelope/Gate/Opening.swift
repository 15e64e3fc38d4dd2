import DHTCore
import DHTCrypto

// A datagram passes the gate in three steps. The gate decides by what it knows whether it is worth opening.
// Opening costs a verification, changes nothing, and may be done for many at once. Then the gate takes it in.

extension Gate {
    /// A datagram that is worth opening, and what is in it once that is done.
    package struct Opening: Sendable {
        package let endpoint: Endpoint
        let header: Header
        fileprivate let datagram: [UInt8]
        /// Whether the key it was boxed with was vouched for.
        let isKnown: Bool
        fileprivate var slot: Int?
        /// The key was derived for this datagram alone, and waits in the spare slot.
        fileprivate(set) var usedSpare = false
        /// The request of ours that it says it answers; `nil`: it is a request.
        let asked: PendingRequests.Pending?
        /// Whether its sender may have its signature verified.
        fileprivate let isAffordable: Bool
        fileprivate(set) var contents: Result<Contents, DropReason> = .failure(.box)

        /// In bytes.
        var length: Int { datagram.count }
        /// Its key is to be derived, by ``Gate/prepare(_:)``, when those before it are concluded and none
        /// after it is examined.
        package var needsKey: Bool { slot == nil }
    }

    /// The good contents of a datagram.
    enum Contents: Sendable {
        /// A request, and the digest of what was signed.
        case request(Request, Body, Digest)
        /// A response, and when the request went out that it answers.
        case response(Response, Body, Instant)
    }

    package enum Examination: Sendable {
        case dropped(DropReason)
        case opening(Opening)
    }

    // MARK: Before

    /// Steps 1 to 7.
    package mutating func examine(
        _ datagram: [UInt8],
        from endpoint: Endpoint,
        at now: Instant
    ) -> Examination {
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
        case .request: return examineRequest(datagram, header, from: endpoint, at: now)
        case .response: return examineResponse(datagram, header, from: endpoint, at: now)
        }
    }

    private mutating func examineRequest(
        _ datagram: [UInt8],
        _ header: Header,
        from endpoint: Endpoint,
        at now: Instant
    ) -> Examination {
        let (sender, boxKey) = (header.sender, header.senderBoxKey)
        guard let familiarity = sessions.familiarity(of: sender, boxKey, sending: header.number) else {
            return .dropped(.replay)
        }
        guard keys.holds(header.recipientKeyID) else { return .dropped(.key) }
        let cached = sharedKeys.knownSlot(own: header.recipientKeyID, peer: boxKey)
        // A session's key is derived again if need be, and there is room for those of all; of the first
        // contacts remembered there may be more than keys.
        let isKnown = familiarity == .known || (familiarity == .remembered && cached != nil)
        guard isKnown || lane.admit(endpoint, at: now) else { return .dropped(.lane) }
        return .opening(
            Opening(
                endpoint: endpoint,
                header: header,
                datagram: datagram,
                isKnown: isKnown,
                slot: cached,
                asked: nil,
                isAffordable: sessions.canCharge(sender, boxKey, at: now)
            )
        )
    }

    private mutating func examineResponse(
        _ datagram: [UInt8],
        _ header: Header,
        from endpoint: Endpoint,
        at now: Instant
    ) -> Examination {
        guard let asked = pending.awaits(header.number, from: header.sender, at: endpoint) else {
            return .dropped(.unsolicited)
        }
        guard keys.holds(header.recipientKeyID) else { return .dropped(.key) }
        let cached = sharedKeys.knownSlot(own: header.recipientKeyID, peer: header.senderBoxKey)
        if cached != nil {
            guard asked.forgeries < PendingRequests.failureLimit else { return .dropped(.unsolicited) }
        } else {
            guard asked.failures < PendingRequests.failureLimit, junk.holdsOne(at: now) else {
                return .dropped(.lane)
            }
        }
        return .opening(
            Opening(
                endpoint: endpoint,
                header: header,
                datagram: datagram,
                isKnown: cached != nil,
                slot: cached,
                asked: asked,
                isAffordable: true
            )
        )
    }

    // MARK: Opening

    /// Derives the key that a datagram is boxed with, if need be. One that nobody vouched for goes into the
    /// spare slot, displacing nothing.
    package mutating func prepare(_ opening: inout Opening) {
        guard opening.needsKey else { return }
        let (own, peer) = (opening.header.recipientKeyID, opening.header.senderBoxKey)
        if opening.isKnown {
            opening.slot = sharedKeys.slot(own: own, peer: peer, keys: keys)
        } else if sharedKeys.deriveSpare(own: own, peer: peer, keys: keys) {
            opening.slot = sharedKeys.spareSlot
            opening.usedSpare = true
        }
    }

    /// Steps 8 to 11, but for what is charged to the sender: the box, what is in it, and the signature.
    package func open(_ opening: inout Opening) { opening.contents = contents(of: opening) }

    private func contents(of opening: Opening) -> Result<Contents, DropReason> {
        let transmissions = opening.asked?.transmissions ?? []
        guard
            let unboxed = unbox(
                opening,
                answering: transmissions.first?.digest ?? SignedInput.noDigest
            )
        else { return .failure(.box) }
        let signature = unboxed.signature
        var signed = unboxed.signed
        guard let body = Body.decode(signed.body) else { return .failure(.malformed) }
        let sender = opening.header.sender
        guard let asked = opening.asked else {
            guard let request = MessageCodec.decodeRequest(body) else { return .failure(.malformed) }
            guard opening.isAffordable else { return .failure(.budget) }
            guard sender.verifies(signature, of: signed.bytes) else { return .failure(.signature) }
            return .success(.request(request, body, signed.digest))
        }
        guard let response = MessageCodec.decodeResponse(body, members: admission) else {
            return .failure(.malformed)
        }
        guard asked.request.operation.rawValue == body.operation else { return .failure(.mismatch) }
        for (index, transmission) in transmissions.enumerated() {
            if index > 0 { signed.answer(transmission.digest) }
            if sender.verifies(signature, of: signed.bytes) {
                return .success(.response(response, body, transmission.sent))
            }
        }
        return .failure(.signature)
    }

    /// The signature in a datagram, and what it ought to be of; `nil` if its box does not open.
    private func unbox(
        _ opening: Opening,
        answering digest: Digest
    ) -> (signature: [UInt8], signed: SignedInput)? {
        guard let slot = opening.slot else { return nil }
        var unboxed: (signature: [UInt8], signed: SignedInput)?
        _ = unsafe sharedKeys.open(slot, opening.datagram) { contents in
            var signed = SignedInput(
                opening.header,
                network: keys.networkID,
                to: keys.identity,
                answering: digest,
                bodyLength: max(contents.count - Datagram.signatureLength, 0)
            ) { $0.append(contentsOf: opening.datagram[Datagram.nonce]) }
            signed.appendBody { bytes in
                unsafe bytes.append(contentsOf: contents.dropFirst(Datagram.signatureLength))
            }
            unboxed = (unsafe Array(contents.prefix(Datagram.signatureLength)), signed)
        }
        return unboxed
    }
}
