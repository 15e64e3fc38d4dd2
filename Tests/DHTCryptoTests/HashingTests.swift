import DHTCore
import Testing

@testable import DHTCrypto

struct HashingTests {
    @Test func `BLAKE2b gives the digests of RFC 7693 and of the reference implementation`() {
        #expect(
            blake2b(Array("abc".utf8), count: 64)
                == bytes(
                    "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                        + "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
                )
        )
        #expect(
            blake2b([], count: 32)
                == bytes("0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8")
        )
        #expect(Digest(blake2bOf: []).bytes == blake2b([], count: 32))
    }

    @Test func `SHA-256 gives the digests of FIPS 180`() {
        #expect(
            sha256(Array("abc".utf8)[...])
                == bytes("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        )
        #expect(
            sha256([])
                == bytes("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        )
    }

    @Test(arguments: 1...64)
    func `BLAKE2b has as many bytes as asked for, and is no prefix of a longer one`(count: Int) {
        let digest = blake2b([1, 2, 3], count: count)
        #expect(digest.count == count)
        if count < 64 {
            #expect(Array(blake2b([1, 2, 3], count: count + 1).prefix(count)) != digest || count == 1)
        }
    }

    @Test func `SHA-1 gives the digests of FIPS 180, of arrays and of slices`() {
        #expect("\(sha1(Array("abc".utf8)))" == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect("\(sha1([UInt8]()))" == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(sha1(Array("xabcx".utf8)[1..<4]) == sha1(Array("abc".utf8)))
    }

    @Test func `a challenge depends on its message and on its key`() {
        let key = ChallengeKey()
        let other = ChallengeKey()
        let challenge = key.mac(over: [1, 2, 3])
        #expect(key.mac(over: [1, 2, 3]) == challenge)
        #expect(key.mac(over: [1, 2, 4]) != challenge)
        #expect(other.mac(over: [1, 2, 3]) != challenge)
    }
}
