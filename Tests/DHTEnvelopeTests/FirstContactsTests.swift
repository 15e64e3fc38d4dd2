import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

@Suite struct FirstContactsTests {
    private var contacts = FirstContacts()
    private let alice = Identity.named("alice")
    private let old = boxKey("alice").publicKey
    private let new = boxKey("alice reborn").publicKey

    @Test mutating func `a request is new once`() {
        #expect(contacts.isNew(7, of: alice, old))
        contacts.record(7, of: alice, old, at: at(0))
        #expect(!contacts.isNew(7, of: alice, old))
        #expect(contacts.isNew(6, of: alice, old))
        #expect(contacts.isNew(8, of: alice, old))
        #expect(contacts.isNew(7, of: alice, new))
        #expect(contacts.isNew(7, of: .named("bob"), old))
    }

    @Test mutating func `of one process eight are answered, and then one in 30 seconds`() {
        var answered: [UInt64] = []
        for second in 0...100 as ClosedRange<UInt64> {
            for _ in 0..<3 where contacts.charge(alice, old, at: at(second)) {
                contacts.record(UInt64(answered.count), of: alice, old, at: at(second))
                answered.append(second)
            }
        }
        #expect(answered == [0, 0, 0, 1, 1, 1, 2, 2, 30, 60, 90])
    }

    @Test mutating func `another process of the same peer has an allowance of its own`() {
        for counter in 0..<20 as Range<UInt64> where contacts.charge(alice, old, at: at(0)) {
            contacts.record(counter, of: alice, old, at: at(0))
        }
        #expect(contacts.charge(alice, old, at: at(0)) == false)
        #expect(contacts.charge(alice, new, at: at(0)) == true)
    }

    @Test mutating func `the oldest is forgotten first, and none within 40 seconds`() {
        func identity(_ number: Int) -> Identity {
            certain(
                Identity(
                    ([UInt8(number >> 16), UInt8(number >> 8 & 255), UInt8(number & 255)]
                        + [UInt8](repeating: 1, count: 29))[...]
                )
            )
        }
        for number in 0..<FirstContacts.capacity + 100 {
            contacts.record(1, of: identity(number), old, at: at(milliseconds: UInt64(number) * 5))
            #expect(contacts.count <= FirstContacts.capacity)
        }
        #expect(contacts.isNew(1, of: identity(99), old))
        #expect(!contacts.isNew(1, of: identity(100), old))
        #expect(FirstContacts.capacity / Int(Gate.Limits().firstContacts) >= 40)
    }

    @Test mutating func `what has become a session is forgotten here`() {
        contacts.record(1, of: alice, old, at: at(0))
        contacts.forget(alice, old)
        #expect(contacts.count == 0)
        #expect(contacts.isNew(1, of: alice, old))
        // However often it goes on.
        for counter in 0..<30_000 as Range<UInt64> {
            contacts.record(counter, of: alice, old, at: at(0))
            contacts.forget(alice, old)
        }
        #expect(contacts.count == 0)
    }
}

extension FirstContacts {
    /// Whether a request of this process may be one that was not seen.
    fileprivate func isNew(_ counter: UInt64, of identity: Identity, _ boxKey: BoxPublicKey) -> Bool {
        familiarity(of: identity, boxKey, sending: counter) != nil
    }
}
