import Testing

@testable import DHTCrypto

struct SecretBytesTests {
    @Test func `secret bytes are taken over, and the array is left without them`() {
        var source: [UInt8] = [1, 2, 3, 4]
        let secret = SecretBytes(wiping: &source)
        #expect(secret.count == 4)
        secret.withBytes { #expect(Array($0) == [1, 2, 3, 4]) }
        #expect(source.allSatisfy { $0 == 0 })
    }

    @Test func `a copy has the same bytes in another place`() {
        let secret = SecretBytes(randomCount: 32)
        let copy = secret.copy()
        secret.withBytes { original in
            copy.withBytes { copied in
                #expect(Array(original) == Array(copied))
                #expect(original.baseAddress != copied.baseAddress)
            }
        }
    }

    @Test func `random secrets differ`() {
        let one = SecretBytes(randomCount: 32)
        let two = SecretBytes(randomCount: 32)
        one.withBytes { one in two.withBytes { two in #expect(Array(one) != Array(two)) } }
    }

    @Test func `there can be secrets of no bytes`() {
        var none: [UInt8] = []
        let secret = SecretBytes(wiping: &none)
        #expect(secret.count == 0)
        secret.withBytes { #expect($0.isEmpty) }
    }

    @Test func `wiping leaves nothing of the bytes`() {
        var bytes = [UInt8](repeating: 0xEE, count: 100)
        wipe(&bytes)
        #expect(!bytes.contains(0xEE))
        var none: [UInt8] = []
        wipe(&none)
        #expect(none.isEmpty)
    }

    @Test func `entropy is not the same twice, nor in two copies of a fresh source`() {
        var (one, two) = (SystemEntropy(), SystemEntropy())
        let words = (0..<1000).map { _ in one.next() } + (0..<1000).map { _ in two.next() }
        #expect(Set(words).count == words.count)
    }
}
