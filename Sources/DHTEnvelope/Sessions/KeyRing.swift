import DHTCore
import DHTCrypto

/// All secrets of one node: its identity, the static key made of it, and the box keys of today and yesterday.
package struct KeyRing: ~Copyable, Sendable {
    /// How long a box key is used; it is kept for one more period, then wiped.
    package static let boxKeyPeriod = Interval.seconds(86_400)
    /// The box-key id of the static key.
    package static let staticKeyID: UInt32 = 0

    package let identity: Identity
    package let networkID: NetworkID
    let signing: SigningKey
    private let network: NetworkKey
    private let ownHeaderKey: HeaderKey
    private let staticKey: BoxKey
    private var current: BoxKey
    private var previous: BoxKey?
    private var rotationDue: Instant

    /// `boxKey` is given by tests alone; a node makes a fresh one.
    package init(
        signing: consuming SigningKey,
        network: consuming NetworkKey,
        boxKey: consuming BoxKey = BoxKey(),
        at now: Instant
    ) {
        identity = signing.identity
        networkID = network.id
        ownHeaderKey = network.headerKey(for: signing.identity)
        staticKey = signing.staticBoxKey()
        current = boxKey
        previous = nil
        rotationDue = now + Self.boxKeyPeriod
        self.signing = signing
        self.network = network
    }

    /// The box key shown in every header.
    package var boxPublicKey: BoxPublicKey { current.publicKey }

    /// When ``rotate(at:)`` has something to do.
    package var nextDeadline: Instant { rotationDue }

    /// Makes a new box key when the period is over. Returns the id of the key that was wiped, if one was.
    package mutating func rotate(at now: Instant) -> UInt32? {
        guard now >= rotationDue else { return nil }
        rotationDue = now + Self.boxKeyPeriod
        var retired: BoxKey? = BoxKey()
        swap(&retired, &previous)
        let wiped = retired?.publicKey.id
        var fresh = BoxKey()
        swap(&fresh, &current)
        previous = consume fresh
        return wiped
    }

    /// Whether a box for this key can be opened.
    func holds(_ keyID: UInt32) -> Bool {
        keyID == Self.staticKeyID || keyID == current.publicKey.id || keyID == previousID
    }

    private var previousID: UInt32? {
        switch previous {
        case .some(let key): key.publicKey.id
        case .none: nil
        }
    }

    /// Derives the key shared with `peer` into `slot`; false if the id is unknown or the peer's key is no
    /// good.
    func derive(_ slot: Int, of slab: inout SharedKeySlab, own keyID: UInt32, peer: BoxPublicKey) -> Bool {
        if keyID == Self.staticKeyID { return slab.derive(slot, from: staticKey, and: peer) }
        if keyID == current.publicKey.id { return slab.derive(slot, from: current, and: peer) }
        switch previous {
        case .some(let key) where key.publicKey.id == keyID: return slab.derive(slot, from: key, and: peer)
        default: return false
        }
    }

    /// The header of a datagram for us; `nil` if it was made for somebody else, or by nobody.
    func openHeader(_ datagram: [UInt8]) -> Header.Decoded? {
        unsafe withUnsafeTemporaryAllocation(byteCount: Header.byteCount, alignment: 8) { header in
            let isOurs = unsafe ownHeaderKey.open(
                in: datagram,
                Datagram.sealedHeader,
                nonce: Datagram.nonce,
                into: header
            )
            return isOurs ? unsafe Header.decode(UnsafeRawBufferPointer(header)) : nil
        }
    }

    /// Appends the masked header for `recipient`.
    func sealHeader(_ header: ArraySlice<UInt8>, for recipient: Identity, to datagram: inout [UInt8]) {
        network.headerKey(for: recipient).seal(header, appendingTo: &datagram)
    }
}
