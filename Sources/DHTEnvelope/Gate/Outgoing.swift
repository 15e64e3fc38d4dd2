import DHTCore
import DHTCrypto

/// A datagram that is to be sent.
package enum Outgoing: Sendable {
    /// The bytes as they go out.
    case sealed([UInt8])
    /// The draft that ``Gatekeeper/finish(_:)`` makes the bytes of.
    case draft(Gate.Draft)
}

extension Gate {
    /// The recipient of a datagram, and how it is sealed.
    struct Addressee: Sendable {
        let identity: Identity
        /// Which of the recipient's box keys.
        let keyID: UInt32
        /// The shared key, and where it is.
        let pair: SharedKeyCache.Pair
        let slot: Int
    }

    /// A datagram that is yet to be signed, boxed and masked. All that changes the gate is done; what is left
    /// costs a signature, and may be done by any thread while the gate stands still.
    package struct Draft: Sendable {
        fileprivate let signed: SignedInput
        private let addressee: Addressee

        init(_ signed: SignedInput, to addressee: Addressee) {
            (self.signed, self.addressee) = (signed, addressee)
        }

        /// Names this transmission in the signed input of its answer.
        var digest: Digest { signed.digest }

        fileprivate func finished(by keys: borrowing KeyRing, _ sharedKeys: borrowing SharedKeyCache)
            -> [UInt8]?
        {
            guard sharedKeys.isHeld(addressee.pair, in: addressee.slot) else { return nil }
            var datagram: [UInt8] = []
            datagram.reserveCapacity(Datagram.boxOffset + Datagram.sealedLength(ofBody: signed.body.count))
            datagram.append(contentsOf: signed.nonce)
            keys.sealHeader(signed.header, for: addressee.identity, to: &datagram)
            datagram.append(contentsOf: repeatElement(0, count: Datagram.tagLength))
            keys.signing.sign(signed.bytes, appendingTo: &datagram)
            datagram.append(contentsOf: signed.body)
            sharedKeys.seal(addressee.slot, in: &datagram)
            return datagram
        }
    }

    /// The bytes of a datagram. `nil` if the key it is boxed with had to make room since it was drafted: then
    /// it is lost like any other, and sent again.
    package func finish(_ outgoing: Outgoing) -> [UInt8]? {
        switch outgoing {
        case .sealed(let bytes): bytes
        case .draft(let draft): draft.finished(by: keys, sharedKeys)
        }
    }
}
