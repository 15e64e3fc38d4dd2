import DHTCore
import DHTCrypto

@testable import DHTEnvelope

/// A datagram made by hand, with whatever keys and lies its maker has: section 3, written a second time.
struct Forgery {
    /// The network key it is masked with.
    var network = "home"
    var version: UInt8 = 1
    var kind: UInt8 = 1
    var reserved: UInt16 = 0
    /// Whose header key masks it, and who the signature says it is for.
    var recipient: Identity
    var recipientKeyID: UInt32
    /// Of a request its counter, of a response the transaction it answers.
    var number: UInt64
    /// Whom the header names as sender.
    var sender: Identity
    /// The box key the header shows; the secret key used belongs to `boxOwner`.
    var shownBoxKey: BoxPublicKey
    var boxOwner: String
    /// The key the box is for.
    var boxPeer: BoxPublicKey
    /// Who really signs.
    var signer: String
    var digest = [UInt8](repeating: 0, count: 32)
    var body: [UInt8]
    var nonceSeed: UInt64 = 1

    /// A request that is good in every respect, for the other's static key if `keyID` is 0.
    static func request(
        _ request: Request = ping,
        from name: String,
        to other: String,
        keyID: UInt32 = 0,
        counter: UInt64,
        transaction: UInt64 = 77,
        challenge: UInt64 = 0
    ) -> Forgery {
        let recipient = Identity.named(other)
        return Forgery(
            recipient: recipient,
            recipientKeyID: keyID,
            number: counter,
            sender: Identity.named(name),
            shownBoxKey: boxKey(name).publicKey,
            boxOwner: name,
            boxPeer: keyID == 0 ? certain(recipient.staticBoxKey) : boxKey(other).publicKey,
            signer: name,
            body: Forgery.body(
                operation: request.operation.rawValue,
                number: transaction,
                challenge: challenge,
                payload: MessageCodec.encode(request)
            )
        )
    }

    /// A response that is good in every respect, to a request of that transaction and digest.
    static func response(
        _ response: Response,
        operation: OperationCode = .ping,
        from name: String,
        to other: String,
        transaction: UInt64,
        counter: UInt64 = 0,
        digest: [UInt8]
    ) -> Forgery {
        let (status, payload) = MessageCodec.encode(response, room: 36)
        return Forgery(
            kind: 2,
            recipient: Identity.named(other),
            recipientKeyID: boxKey(other).publicKey.id,
            number: transaction,
            sender: Identity.named(name),
            shownBoxKey: boxKey(name).publicKey,
            boxOwner: name,
            boxPeer: boxKey(other).publicKey,
            signer: name,
            digest: digest,
            body: Forgery.body(
                operation: operation.rawValue,
                status: status,
                number: counter,
                payload: payload
            )
        )
    }

    static func body(
        operation: UInt8,
        status: UInt8 = 0,
        reserved: UInt16 = 0,
        number: UInt64,
        challenge: UInt64 = 0,
        payload: [UInt8]
    ) -> [UInt8] {
        var bytes = [operation, status]
        bytes.appendBigEndian(reserved)
        bytes.appendBigEndian(number)
        bytes.appendBigEndian(challenge)
        bytes += payload
        let length = certain(Datagram.length(forPayload: payload.count))
        return bytes.padded(to: length - 200)
    }

    /// The same with another value in one field.
    func with<Value>(_ field: WritableKeyPath<Forgery, Value>, _ value: Value) -> Forgery {
        var changed = self
        changed[keyPath: field] = value
        return changed
    }

    /// Shows the box key of `name` and uses it, whoever the header says the sender is.
    func boxed(by name: String) -> Forgery {
        with(\.shownBoxKey, boxKey(name).publicKey).with(\.boxOwner, name)
    }

    var header: [UInt8] {
        var bytes = [version, kind]
        bytes.appendBigEndian(reserved)
        bytes.appendBigEndian(recipientKeyID)
        bytes.appendBigEndian(number)
        return bytes + sender.bytes + shownBoxKey.bytes
    }

    var nonce: [UInt8] {
        var generator = SplitMix64(seed: nonceSeed)
        return generator.bytes(24)
    }

    /// What `signer` signs.
    var signedInput: [UInt8] {
        Array("dht1 envelope".utf8) + [0] + networkKey(network).id.bytes + recipient.bytes + digest + nonce
            + header
            + body
    }

    /// Signature and body.
    var contents: [UInt8] { signingKey(signer).sign(signedInput) + body }

    var datagram: [UInt8] { boxing(contents) }

    /// The datagram of somebody who has the keys for header and box, with these contents.
    func boxing(_ contents: [UInt8]) -> [UInt8] {
        var bytes = nonce
        networkKey(network).headerKey(for: recipient).seal(header, appendingTo: &bytes)
        var slab = SharedKeySlab(capacity: 1)
        precondition(slab.derive(0, from: boxKey(boxOwner), and: boxPeer), "the key is good")
        slab.seal(0, contents, appendingTo: &bytes)
        return bytes
    }
}
