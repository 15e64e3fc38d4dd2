import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// What stands before the box.
private let start = [UInt8](repeating: 7, count: Datagram.boxOffset)
private let text = Array("between the two".utf8)

/// Alice's cache and the keys it derives from.
private final class AliceCache {
    private let keys = keyRing("alice")
    private var cache: SharedKeyCache

    init(capacity: Int) { cache = SharedKeyCache(capacity: capacity) }

    var own: UInt32 { keys.boxPublicKey.id }

    @discardableResult
    func slot(_ peer: BoxPublicKey, own keyID: UInt32? = nil) -> Int? {
        cache.slot(own: keyID ?? own, peer: peer, keys: keys)
    }

    func contains(_ peer: BoxPublicKey, own keyID: UInt32? = nil) -> Bool {
        cache.contains(own: keyID ?? own, peer: peer)
    }

    func open(_ slot: Int?, _ box: [UInt8]) -> [UInt8]? {
        var opened: [UInt8]?
        if let slot { _ = unsafe cache.open(slot, start + box) { opened = unsafe Array($0) } }
        return opened
    }

    /// Derives the key shared with that peer into the spare slot, and names the slot.
    func deriveSpare(_ peer: BoxPublicKey) -> Int? {
        cache.deriveSpare(own: own, peer: peer, keys: keys) ? cache.spareSlot : nil
    }

    func keepSpare(_ peer: BoxPublicKey) -> Int { cache.keepSpare(own: own, peer: peer) }
    func forget() { cache.forget(own: own) }
}

@Suite struct SharedKeyCacheTests {
    private func peer(_ number: Int) -> BoxPublicKey { boxKey("peer \(number)").publicKey }

    /// What that peer puts into a box for alice's current key.
    private func box(from number: Int) -> [UInt8] {
        var slab = SharedKeySlab(capacity: 1)
        precondition(
            slab.derive(0, from: boxKey("peer \(number)"), and: boxKey("alice").publicKey),
            "good keys"
        )
        var datagram = start
        slab.seal(0, text, appendingTo: &datagram)
        return Array(datagram[start.count...])
    }

    @Test func `a slot opens what its peer sealed and nothing else`() {
        let cache = AliceCache(capacity: 4)
        for number in 1...3 { cache.slot(peer(number)) }
        for number in 1...3 {
            let slot = cache.slot(peer(number))
            let opened = (1...3).map { cache.open(slot, box(from: $0)) == text }
            #expect(opened == (1...3).map { $0 == number })
        }
    }

    @Test func `the static key and the box key share different keys with one peer`() {
        let cache = AliceCache(capacity: 4)
        let current = cache.slot(peer(1))
        let fixed = cache.slot(peer(1), own: KeyRing.staticKeyID)
        #expect(current != fixed)
        #expect(cache.open(current, box(from: 1)) == text)
        #expect(cache.open(fixed, box(from: 1)) == nil)
    }

    @Test func `the least recently used one makes room`() {
        let cache = AliceCache(capacity: 3)
        for number in [1, 2, 3, 1, 4] { cache.slot(peer(number)) }
        #expect((1...4).map { cache.contains(peer($0)) } == [true, false, true, true])
        cache.slot(peer(5))
        #expect((1...5).map { cache.contains(peer($0)) } == [true, false, false, true, true])
    }

    @Test func `it stays right over thousands of random uses`() {
        let cache = AliceCache(capacity: 3)
        var recent: [Int] = []  // the twin: oldest first
        var generator = SplitMix64(seed: 1)
        let boxes = (0..<6).map { box(from: $0) }
        for _ in 0..<600 {
            let number = generator.number(0...5)
            let slot = cache.slot(peer(number))
            recent.removeAll { $0 == number }
            recent.append(number)
            if recent.count > 3 { recent.removeFirst() }
            #expect((0...5).filter { cache.contains(peer($0)) } == recent.sorted())
            #expect(cache.open(slot, boxes[number]) == text)
        }
    }

    @Test func `a derived key displaces nothing until it is kept`() {
        let cache = AliceCache(capacity: 2)
        for number in 1...2 { cache.slot(peer(number)) }
        for number in 3...9 {
            let spare = cache.deriveSpare(peer(number))
            #expect(cache.open(spare, box(from: number)) == text)
        }
        #expect((1...9).map { cache.contains(peer($0)) } == (1...9).map { $0 <= 2 })
        _ = cache.keepSpare(peer(9))
        #expect((1...9).map { cache.contains(peer($0)) } == (1...9).map { $0 == 2 || $0 == 9 })
    }

    @Test func `a kept key replaces the same pair's`() {
        let cache = AliceCache(capacity: 2)
        for number in 1...2 { cache.slot(peer(number)) }
        for _ in 0..<5 {
            _ = cache.deriveSpare(peer(1))
            let slot = cache.keepSpare(peer(1))
            #expect(cache.open(slot, box(from: 1)) == text)
        }
        #expect((1...2).allSatisfy { cache.contains(peer($0)) })
    }

    @Test func `keys of one own key are forgotten together`() {
        let cache = AliceCache(capacity: 6)
        for number in 1...3 {
            cache.slot(peer(number))
            cache.slot(peer(number), own: KeyRing.staticKeyID)
        }
        let slot = cache.slot(peer(1))
        cache.forget()
        for number in 1...3 {
            #expect(!cache.contains(peer(number)))
            #expect(cache.contains(peer(number), own: KeyRing.staticKeyID))
        }
        #expect(cache.open(slot, box(from: 1)) == nil)
    }

    @Test func `a key of small order is refused and takes no room`() throws {
        let cache = AliceCache(capacity: 1)
        cache.slot(peer(1))
        let zero = try #require(BoxPublicKey([UInt8](repeating: 0, count: 32)[...]))
        #expect(cache.slot(zero) == nil)
        #expect(cache.contains(peer(1)))
        #expect(!cache.contains(zero))
    }

    @Test func `an own key that is gone derives nothing`() {
        let cache = AliceCache(capacity: 1)
        #expect(cache.slot(peer(1), own: cache.own ^ 1) == nil)
    }
}
