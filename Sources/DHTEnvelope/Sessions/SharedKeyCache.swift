import DHTCore
import DHTCrypto

/// Shared keys by (own box key, peer's box key): a derivation costs as much as thirty seals.
package struct SharedKeyCache: ~Copyable, Sendable {
    struct Pair: Hashable, Sendable {
        var own: UInt32
        var peer: BoxPublicKey
    }

    private var slab: SharedKeySlab
    private var slots: [Pair: Int] = [:]
    /// By slot: the pair that uses it, and when last, in uses of the cache.
    private var owners: [Pair?]
    private var lastUses: [UInt64]
    private var uses: UInt64 = 0
    /// A slot outside the cache, for keys nobody has vouched for yet.
    private var spare = 0
    private var unused: [Int]

    /// Room for `capacity` keys, at least one.
    package init(capacity: Int) {
        let count = max(capacity, 1) + 1
        slab = SharedKeySlab(capacity: count)
        owners = Array(repeating: nil, count: count)
        lastUses = Array(repeating: 0, count: count)
        unused = Array((1..<count).reversed())
    }

    /// The slot for the pair, derived now if it is not there; `nil` if the peer's key is no good.
    mutating func slot(own: UInt32, peer: BoxPublicKey, keys: borrowing KeyRing) -> Int? {
        let pair = Pair(own: own, peer: peer)
        uses += 1
        if let slot = slots[pair] {
            lastUses[slot] = uses
            return slot
        }
        guard deriveSpare(own: own, peer: peer, keys: keys) else { return nil }
        return keepSpare(own: own, peer: peer)
    }

    var count: Int { slots.count }
    /// How many keys there is room for.
    var capacity: Int { owners.count - 1 }

    /// Whether the pair's key is here already.
    func contains(own: UInt32, peer: BoxPublicKey) -> Bool { slots[Pair(own: own, peer: peer)] != nil }

    /// Derives a key into the spare slot, displacing nothing.
    mutating func deriveSpare(own: UInt32, peer: BoxPublicKey, keys: borrowing KeyRing) -> Bool {
        keys.derive(spare, of: &slab, own: own, peer: peer)
    }

    /// Takes the spare slot's key into the cache: its peer has proved itself. The least recently used one
    /// makes room.
    @discardableResult
    mutating func keepSpare(own: UInt32, peer: BoxPublicKey) -> Int {
        let pair = Pair(own: own, peer: peer)
        let kept = spare
        if let old = slots[pair] { forget(old) }
        if unused.isEmpty { evictOldest() }
        guard let next = unused.popLast() else { preconditionFailure("a slot was just freed") }
        spare = next
        slots[pair] = kept
        owners[kept] = pair
        lastUses[kept] = uses
        return kept
    }

    /// The slot ``deriveSpare(own:peer:keys:)`` wrote.
    var spareSlot: Int { spare }

    /// Wipes all keys derived from the own key with this id.
    mutating func forget(own keyID: UInt32) {
        for slot in owners.indices where owners[slot]?.own == keyID { forget(slot) }
    }

    /// Wipes all keys shared with a peer's box key.
    mutating func forget(peer boxKey: BoxPublicKey) {
        for slot in owners.indices where owners[slot]?.peer == boxKey { forget(slot) }
    }

    /// The slot of a pair whose key is here already.
    mutating func knownSlot(own: UInt32, peer: BoxPublicKey) -> Int? {
        guard let slot = slots[Pair(own: own, peer: peer)] else { return nil }
        uses += 1
        lastUses[slot] = uses
        return slot
    }

    /// Whether the slot still has the pair's key.
    func isHeld(_ pair: Pair, in slot: Int) -> Bool { owners[slot] == pair }

    /// Boxes what stands behind nonce and header, which are bound into the box, and room for its tag.
    func seal(_ slot: Int, in datagram: inout [UInt8]) {
        slab.seal(slot, in: &datagram, from: Datagram.boxOffset)
    }

    /// Lends the contents of a datagram's box; `false` if it does not open.
    func open(_ slot: Int, _ datagram: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) -> Void) -> Bool {
        unsafe slab.open(slot, in: datagram, from: Datagram.boxOffset, body)
    }

    private mutating func evictOldest() {
        var oldest: Int?
        for slot in owners.indices where owners[slot] != nil {
            if let candidate = oldest, lastUses[candidate] <= lastUses[slot] { continue }
            oldest = slot
        }
        if let oldest { forget(oldest) }
    }

    private mutating func forget(_ slot: Int) {
        guard let pair = owners[slot] else { return }
        slots[pair] = nil
        owners[slot] = nil
        slab.wipe(slot)
        unused.append(slot)
    }
}
