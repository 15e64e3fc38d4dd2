import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

private struct EnvelopeVectors: Decodable {
    struct Envelope: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let networkKey: Hex
        let senderSeed: Hex
        let senderBoxSecret: Hex
        let recipientSeed: Hex
        /// Absent: the box is for the static key.
        let recipientBoxSecret: Hex?
        let kind: UInt8
        let counter: UInt64
        let nonce: Hex
        let requestDigest: Hex
        let operation: UInt8
        let status: UInt8
        let transaction: Hex
        let challenge: Hex
        let payload: Hex
        let length: Int
        let signedInputDigest: Hex
        let datagram: Hex

        var testDescription: String { name }
    }

    let envelopes: [Envelope]

    static let all: EnvelopeVectors = VectorFile.read("envelopes")
}

extension EnvelopeVectors.Envelope {
    var sender: Identity { SigningKey(seed: senderSeed.secret).identity }
    var recipient: Identity { SigningKey(seed: recipientSeed.secret).identity }

    /// The key that the box is for, and its id.
    var recipientKey: (id: UInt32, key: BoxPublicKey) {
        guard let recipientBoxSecret else { return (0, certain(recipient.staticBoxKey)) }
        let key = BoxKey(secret: recipientBoxSecret.secret).publicKey
        return (key.id, key)
    }

    var body: Body {
        Body(
            operation: operation,
            status: status,
            number: kind == 1 ? transaction.number : counter,
            challenge: challenge.number,
            payload: payload.bytes[...]
        )
    }

    /// What its header says besides who sends.
    var number: UInt64 { kind == 1 ? counter : transaction.number }

    /// The request that a response answers.
    fileprivate var question: EnvelopeVectors.Envelope? {
        EnvelopeVectors.all.envelopes.first { $0.signedInputDigest == requestDigest }
    }

    /// The gate of whoever has these secrets; `nonce` is what chance gives it first.
    func gate(seed: Hex, boxSecret: Hex?, nonce: Hex? = nil) -> Gate {
        let box: BoxKey
        if let boxSecret { box = BoxKey(secret: boxSecret.secret) } else { box = BoxKey() }
        let keys = KeyRing(
            signing: SigningKey(seed: seed.secret),
            network: NetworkKey(bytes: networkKey.secret),
            boxKey: box,
            at: at(0)
        )
        return Gate(
            keys: keys,
            admission: .open,
            entropy: Scripted(bytes: nonce?.bytes ?? []),
            at: at(0)
        )
    }
}

/// Gives the words of these bytes, and then zeros.
private struct Scripted: RandomNumberGenerator, Sendable {
    var bytes: [UInt8]

    mutating func next() -> UInt64 {
        defer { bytes.removeFirst(min(8, bytes.count)) }
        return bytes.isEmpty ? 0 : bytes.bigEndian()
    }
}

/// What the other implementation sealed, sealed and opened here.
@Suite struct EnvelopeVectorTests {
    /// What the vector's recipient makes of these; a response is awaited. One who
    /// `knowsSender` has its box key, so that no lane and no limit stands in the way of wrong ones.
    private func receive(
        _ vector: EnvelopeVectors.Envelope,
        _ datagrams: [[UInt8]],
        knowsSender: Bool = false
    ) -> [Outcome] {
        var gate = vector.gate(
            seed: vector.recipientSeed,
            boxSecret: vector.recipientBoxSecret
        )
        if let question = vector.question, let asked = MessageCodec.decodeRequest(question.body) {
            gate.pending.sent(
                question.transaction.number,
                to: vector.sender,
                at: .host(1),
                asked,
                PendingRequests.Transmission(digest: vector.requestDigest.digest, sent: at(0))
            )
        }
        if knowsSender {
            let shown = BoxKey(secret: vector.senderBoxSecret.secret).publicKey
            _ = gate.sessions.accept(
                0,
                of: vector.sender,
                shown,
                from: .host(9),
                answersChallenge: true,
                at: at(0)
            )
            _ = gate.sharedKeys.slot(own: vector.recipientKey.id, peer: shown, keys: gate.keys)
        }
        return datagrams.map { Outcome(gate.receive($0, from: .host(1), at: at(0))) }
    }

    @Test(arguments: EnvelopeVectors.all.envelopes)
    fileprivate func `an envelope is sealed here byte for byte`(vector: EnvelopeVectors.Envelope) throws {
        var gate = vector.gate(
            seed: vector.senderSeed,
            boxSecret: vector.senderBoxSecret,
            nonce: vector.nonce
        )
        let (keyID, key) = vector.recipientKey
        let addressee = gate.addressee(vector.recipient, keyID, key)
        let kind = try #require(Header.Kind(rawValue: vector.kind))
        let draft = gate.draft(
            kind,
            number: vector.number,
            vector.body,
            length: vector.length,
            to: try #require(addressee),
            answering: vector.requestDigest.digest
        )
        #expect(hexadecimal(draft.digest.bytes) == hexadecimal(vector.signedInputDigest.bytes))
        let datagram = gate.finish(.draft(draft))
        #expect(hexadecimal(datagram ?? []) == hexadecimal(vector.datagram.bytes))
    }

    @Test(arguments: EnvelopeVectors.all.envelopes)
    fileprivate func `an envelope of another implementation passes the gate`(
        vector: EnvelopeVectors.Envelope
    ) throws {
        switch receive(vector, [vector.datagram.bytes])[0] {
        case .firstContact(let request):
            #expect(vector.kind == 1)
            #expect(request == MessageCodec.decodeRequest(vector.body))
        case .answer(let response):
            // Contacts that are the recipient itself, and records of other places, were struck out.
            #expect(vector.kind == 2)
            #expect(vector.question != nil)
            if vector.payload.bytes.count < 40 {
                #expect(response == MessageCodec.decodeResponse(vector.body))
            }
        case .live, .dropped: Issue.record("neither a request nor an answer")
        }
    }

    @Test(arguments: EnvelopeVectors.all.envelopes)
    fileprivate func `an envelope with any byte changed is dropped, and then the untouched one passes`(
        vector: EnvelopeVectors.Envelope
    ) {
        let flips = vector.datagram.bytes.indices.filter { $0 < 260 || $0 % 7 == 0 }
        let changed = flips.map { vector.datagram.bytes.flipping(1, at: $0) }
        let verdicts = receive(vector, changed + [vector.datagram.bytes], knowsSender: true)
        let dropped = verdicts.count { $0.isDropped }
        #expect(dropped == flips.count)
        #expect(verdicts.last?.isDropped == false)
    }

    @Test(arguments: EnvelopeVectors.all.envelopes.filter { $0.kind == 1 && $0.counter == 1 })
    fileprivate func `a first request is sealed through the front door byte for byte`(
        vector: EnvelopeVectors.Envelope
    ) throws {
        guard vector.recipientBoxSecret == nil, vector.challenge.number == 0 else { return }
        var gate = vector.gate(
            seed: vector.senderSeed,
            boxSecret: vector.senderBoxSecret,
            nonce: vector.nonce
        )
        let request = try #require(MessageCodec.decodeRequest(vector.body))
        let options = Gate.SealOptions(transaction: vector.transaction.number, answerLength: vector.length)
        let datagram = gate.seal(
            request,
            to: vector.recipient,
            at: .host(2),
            options,
            now: at(0)
        )
        #expect(hexadecimal(datagram ?? []) == hexadecimal(vector.datagram.bytes))
        #expect(
            gate.pending[vector.transaction.number]?.transmissions.map(\.digest) == [
                vector.signedInputDigest.digest
            ]
        )
    }
}
