import Testing

@testable import DHTCore

struct ConductTests {
    private func somebody(_ number: UInt8) -> Identity {
        guard let identity = Identity([UInt8](repeating: number, count: 32)[...]) else {
            preconditionFailure("an identity has 32 bytes")
        }
        return identity
    }

    @Test func `what a member does is counted by kind, and told of once`() {
        var conduct = Conduct()
        conduct.record(.brokenContent, of: somebody(1), at: Instant(nanoseconds: 1))
        conduct.record(.brokenContent, of: somebody(1), times: 2, at: Instant(nanoseconds: 2))
        conduct.record(.unusableContacts, of: somebody(2), at: Instant(nanoseconds: 3))
        #expect(conduct.report.map(\.count) == [3, 1])
        #expect(conduct.report.map(\.offence) == [.brokenContent, .unusableContacts])
        #expect(conduct.report.first?.last == Instant(nanoseconds: 2))
        #expect(conduct.takeNews().map(\.identity) == [somebody(1), somebody(2)])
        conduct.record(.unusableContacts, of: somebody(2), at: Instant(nanoseconds: 4))
        #expect(conduct.takeNews().isEmpty)
    }

    @Test func `the entry seen least lately makes room`() {
        var conduct = Conduct()
        for number in 0..<Conduct.capacity + 1 {
            var bytes = [UInt8](repeating: 0, count: 32)
            (bytes[0], bytes[1]) = (UInt8(number >> 8), UInt8(number & 255))
            guard let identity = Identity(bytes[...]) else { preconditionFailure("an identity has 32 bytes") }
            conduct.record(.struckOut, of: identity, at: Instant(nanoseconds: UInt64(number)))
        }
        #expect(conduct.count == Conduct.capacity)
        #expect(conduct.report.map(\.last).min() == Instant(nanoseconds: 1))
    }

    @Test func `who is no longer admitted is forgotten`() {
        var conduct = Conduct()
        conduct.record(.struckOut, of: somebody(1), at: Instant(nanoseconds: 0))
        conduct.record(.struckOut, of: somebody(2), at: Instant(nanoseconds: 0))
        conduct.forget { $0 == somebody(1) }
        #expect(conduct.report.map(\.identity) == [somebody(2)])
        #expect(conduct.takeNews().map(\.identity) == [somebody(2)])
    }
}
