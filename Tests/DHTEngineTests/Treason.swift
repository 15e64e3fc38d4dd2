import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope

// Members that answer and ask what no honest node does, with keys and tokens of their own.

extension Host {
    /// Opens a datagram as the node would, and answers it as ``lie`` has it.
    func answerFalsely(_ datagram: [UInt8], from source: Endpoint, in turn: inout EngineTurn) -> Disposition {
        switch engine.gate.receive(datagram, from: source, at: turn.now.instant) {
        case .request(let inbound):
            if let response = lie?(inbound.request, inbound.sender),
                let sealed = engine.gate.draft(response, to: inbound, now: turn.now.instant)
            {
                turn.actions.append(.transmit(sealed, to: source))
            }
            return .accepted
        case .answer: return .accepted
        case .dropped(let reason): return .dropped(reason)
        }
    }
}

extension Overlay {
    /// From now on the host answers PING, knows nobody, and to all else says what `lie` has.
    func corrupt(_ index: Int, _ lie: @escaping (Request, Identity) -> Response?) {
        let endpoint = self[index].endpoint
        self[index].lie = { request, sender in
            switch request {
            case .ping: .pong(observed: endpoint, endpoints: [])
            case .findNode: .nodes([])
            case .findValue: .values([], total: 0, closer: [])
            case .store, .passOn, .findChunk, .findRoster, .join: lie(request, sender)
            }
        }
    }

    /// Sends a request in the name of a host, whatever its engine wants.
    func ask(_ request: Request, of index: Int, by sender: Int) {
        let (host, peer) = (self[sender], self[index])
        let options = Gate.SealOptions(transaction: host.engine.gate.makeTransaction(), answerLength: 1232)
        let drafted = host.engine.gate.draft(
            request,
            to: peer.identity,
            at: peer.endpoint,
            options,
            now: clock
        )
        guard let datagram = drafted.flatMap({ host.engine.gate.finish($0) }) else { return }
        inject(datagram, from: host.endpoint, to: peer.endpoint)
    }

    /// A reference signed by a host, to content of which there is nothing but the outline.
    func promise(_ key: String, length: UInt32, by index: Int) -> (record: Record, outline: [UInt8]) {
        let pieces = (Int(length) - 1) / ContentLayout.pieceLength + 1
        let outline = ContentTests.bytes(pieces * ContentLayout.digestLength, seed: UInt64(key.utf8.count))
        let named = blake2b(Array(key.utf8), count: 32) + outline.dropFirst(32)
        let digest = ContentReference.digest(length: length, outline: named)
        guard let reference = ContentReference(length: length, digest: digest) else {
            preconditionFailure("\(length) bytes are no content")
        }
        let draft = RecordCodec.Draft(
            kind: .reference,
            key: Array(key.utf8),
            revision: Revision(unixMilliseconds: now(at: self[index]).unixMilliseconds, above: nil),
            lifetime: 3600,
            value: reference.encoded
        )
        return (self[index].engine.gate.sign(draft), named)
    }

    /// How often a node saw this of that one.
    func offences(_ offence: Conduct.Offence, of culprit: Int, at index: Int) -> UInt64 {
        self[index].engine.core.conduct.report
            .first { $0.offence == offence && $0.identity == self[culprit].identity }?.count ?? 0
    }
}
