import DHTCore
import Testing

@testable import DHTCrypto

struct BoxTests {
    let nonce = (0..<24).map { UInt8($0) }
    /// Of a datagram, before its box.
    let start = (0..<120).map { UInt8($0) }
    let plaintext = Array("what only two may read".utf8)

    // MARK: Public keys

    @Test func `a box-key id is the first four bytes, and never 0`() throws {
        func id(_ first: [UInt8]) throws -> UInt32 {
            try #require(BoxPublicKey((first + [UInt8](repeating: 9, count: 28))[...])).id
        }
        #expect(try id([1, 2, 3, 4]) == 0x0102_0304)
        #expect(try id([0xFF, 0, 0, 0]) == 0xFF00_0000)
        #expect(try id([0, 0, 0, 0]) == 1)
        #expect(try id([0, 0, 0, 1]) == 1)
        #expect(try id([0, 0, 0, 2]) == 2)
    }

    @Test func `a box public key has 32 bytes and gives them back`() throws {
        let bytes = (0..<32).map { UInt8($0 * 7) }
        let key = try #require(BoxPublicKey(bytes[...]))
        #expect(key.bytes == bytes)
        var buffer: [UInt8] = [1]
        key.append(to: &buffer)
        #expect(buffer == [1] + bytes)
        #expect(BoxPublicKey(bytes.dropLast()) == nil)
        #expect(BoxPublicKey((bytes + [0])[...]) == nil)
    }

    @Test func `the key pair of RFC 7748 is the one made here`() {
        // Section 6.1.
        let bob = BoxKey(
            secret: secret(bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
        )
        #expect(
            bob.publicKey.bytes == bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        )
    }

    // MARK: Boxes

    @Test func `what one seals the other opens`() throws {
        let ours = BoxKey()
        let theirs = BoxKey()
        let slab = Slab(capacity: 2)
        #expect(slab.capacity == 2)
        slab.fill(0, from: ours, and: theirs.publicKey)
        slab.fill(1, from: theirs, and: ours.publicKey)
        for plaintext in [[], plaintext, [UInt8](repeating: 1, count: 1096)] {
            for before in [[], start, [UInt8](repeating: 2, count: 1000)] {
                let box = slab.seal(0, plaintext, behind: before)
                #expect(box.count == 16 + plaintext.count)
                #expect(slab.open(1, box, behind: before) == plaintext)
            }
        }
    }

    @Test func `no box with a flipped bit opens, none behind other bytes, none cut short`() {
        let ours = BoxKey()
        let theirs = BoxKey()
        let slab = Slab(capacity: 1)
        slab.fill(0, from: ours, and: theirs.publicKey)
        let box = slab.seal(0, plaintext, behind: start)
        #expect(slab.open(0, box, behind: start) == plaintext)
        for bit in 0..<box.count * 8 {
            var wrong = box
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(slab.open(0, wrong, behind: start) == nil)
        }
        for bit in 0..<start.count * 8 {
            var wrong = start
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(slab.open(0, box, behind: wrong) == nil)
        }
        for count in 0..<box.count { #expect(slab.open(0, Array(box[..<count]), behind: start) == nil) }
        #expect(slab.open(0, box + [0], behind: start) == nil)
    }

    @Test func `another pair's key opens nothing, nor does a wiped slot`() {
        let ours = BoxKey()
        let theirs = BoxKey()
        let third = BoxKey()
        let slab = Slab(capacity: 2)
        slab.fill(0, from: ours, and: theirs.publicKey)
        slab.fill(1, from: ours, and: third.publicKey)
        let box = slab.seal(0, plaintext, behind: start)
        #expect(slab.open(1, box, behind: start) == nil)
        slab.wipe(0)
        #expect(slab.open(0, box, behind: start) == nil)
    }

    @Test(arguments: [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ])
    func `a peer's key of small order is refused, and the slot wiped`(point: String) throws {
        let ours = BoxKey()
        let theirs = BoxKey()
        let slab = Slab(capacity: 1)
        slab.fill(0, from: ours, and: theirs.publicKey)
        let box = slab.seal(0, plaintext, behind: start)
        let isDerived = slab.derive(0, from: ours, and: try #require(BoxPublicKey(bytes(point)[...])))
        #expect(!isDerived)
        #expect(slab.open(0, box, behind: start) == nil)
    }

    @Test func `the slots of a slab do not touch each other`() {
        let ours = BoxKey()
        let peers = (0..<64).map { _ in BoxKey().publicKey }
        let slab = Slab(capacity: peers.count)
        for (slot, peer) in peers.enumerated() {
            slab.fill(slot, from: ours, and: peer)
        }
        let boxes = peers.indices.map { slot in
            slab.seal(slot, plaintext, behind: start)
        }
        for slot in stride(from: 0, to: peers.count, by: 2) { slab.wipe(slot) }
        for slot in peers.indices {
            let opened = slab.open(slot, boxes[slot], behind: start)
            #expect((opened == plaintext) == (slot % 2 == 1))
        }
    }

    // MARK: Headers

    @Test func `a header opens under its recipient's key of its network, and no other`() throws {
        let network = NetworkKey()
        let other = NetworkKey()
        let (recipient, another) = (signingKey(1).identity, signingKey(2).identity)
        let header = [UInt8](repeating: 4, count: 80)
        var buffer = nonce
        network.headerKey(for: recipient).seal(header, appendingTo: &buffer)
        #expect(buffer.count == 24 + 16 + 80 && buffer.starts(with: nonce))
        #expect(network.headerKey(for: recipient).open(buffer[24...], nonce: nonce[...]) == header)
        #expect(network.headerKey(for: another).open(buffer[24...], nonce: nonce[...]) == nil)
        #expect(other.headerKey(for: recipient).open(buffer[24...], nonce: nonce[...]) == nil)
        #expect(network.copy().headerKey(for: recipient).open(buffer[24...], nonce: nonce[...]) == header)
        for place in 24..<buffer.count {
            var wrong = buffer
            wrong[place] ^= 0x10
            #expect(network.headerKey(for: recipient).open(wrong[24...], nonce: nonce[...]) == nil)
        }
        for count in 0..<16 {
            #expect(network.headerKey(for: recipient).open(buffer[24..<24 + count], nonce: nonce[...]) == nil)
        }
    }

    @Test func `networks have ids of 16 bytes that tell them apart`() {
        let one = NetworkKey()
        let two = NetworkKey()
        #expect(one.id.bytes.count == 16)
        #expect(one.id != two.id)
        #expect(one.copy().id == one.id)
    }
}

/// A slab that macros can hold, because copying the reference does not copy the keys.
private final class Slab {
    private var slab: SharedKeySlab

    init(capacity: Int) { slab = SharedKeySlab(capacity: capacity) }

    var capacity: Int { slab.capacity }

    func derive(_ slot: Int, from secret: borrowing BoxKey, and peer: BoxPublicKey) -> Bool {
        slab.derive(slot, from: secret, and: peer)
    }

    /// Derives a key that is known to be good.
    func fill(_ slot: Int, from secret: borrowing BoxKey, and peer: BoxPublicKey) {
        let isDerived = slab.derive(slot, from: secret, and: peer)
        #expect(isDerived)
    }

    /// The box alone.
    func seal(_ slot: Int, _ plaintext: [UInt8], behind start: [UInt8]) -> [UInt8] {
        var buffer = start
        slab.seal(slot, plaintext, appendingTo: &buffer)
        #expect(Array(buffer[..<start.count]) == start)
        return Array(buffer[start.count...])
    }

    func open(_ slot: Int, _ box: [UInt8], behind start: [UInt8]) -> [UInt8]? {
        var opened: [UInt8]?
        _ = unsafe slab.open(slot, in: start + box, from: start.count) { opened = unsafe Array($0) }
        return opened
    }

    func wipe(_ slot: Int) { slab.wipe(slot) }
}
