import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

@Suite struct KeyRingTests {
    @Test func `it opens what was masked for it, and another's not`() {
        let alice = keyRing("alice")
        let bob = keyRing("bob")
        let header = Header(
            kind: .request,
            recipientKeyID: 7,
            number: 8,
            sender: .named("alice"),
            senderBoxKey: boxKey("alice").publicKey
        )
        var datagram = [UInt8](repeating: 1, count: 24)
        alice.sealHeader(header.encoded[...], for: .named("bob"), to: &datagram)
        #expect(datagram.count == 120)
        let opened = (bob.openHeader(datagram), alice.openHeader(datagram))
        #expect(opened.0 == .header(header))
        #expect(opened.1 == nil)
    }

    @Test func `a box key serves a period, is kept for another, and is then wiped`() {
        var keys = keyRing("alice")
        let first = keys.boxPublicKey.id
        let early = keys.rotate(at: at(86_399))
        let wipedFirst = keys.rotate(at: at(86_400))
        let second = keys.boxPublicKey.id
        let holds = [first, second, 0, 1234].map { keys.holds($0) }
        #expect(early == nil)
        #expect(wipedFirst == nil)
        #expect(first != second)
        #expect(holds == [true, true, true, false])
        let wipedSecond = keys.rotate(at: at(2 * 86_400))
        let holdsThen = [first, second, keys.boxPublicKey.id, 0].map { keys.holds($0) }
        #expect(wipedSecond == first)
        #expect(holdsThen == [false, true, true, true])
    }

    @Test func `a rotation that comes late puts off the next`() {
        var keys = keyRing("alice")
        _ = keys.rotate(at: at(100_000))
        let due = keys.nextDeadline
        #expect(due == at(186_400))
    }
}
