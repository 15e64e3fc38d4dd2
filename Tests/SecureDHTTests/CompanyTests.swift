import DHTStorage
import Testing

@testable import DHTCore
@testable import SecureDHT

/// Whom a node counts on, and when it says that it is alone.
struct CompanyTests {
    private static let day = LatelyHeard.memory
    private static let start: UInt64 = 1_700_000_000_000

    private static func contact(_ number: UInt8, _ answered: UInt64 = start) -> RememberedContact {
        let identity = certain(Identity([UInt8](repeating: number, count: 32)))
        let endpoint = Endpoint(ipv4: 0x0A00_0000 + UInt32(number), port: 4100)
        return RememberedContact(identity: identity, endpoint: endpoint, answered: answered)
    }

    private func count(_ lately: LatelyHeard) -> Int { lately.count { _ in true } }

    // MARK: Whom the overlay had lately

    @Test func `who answered within a day before anybody did is counted`() {
        var lately = LatelyHeard()
        #expect(count(lately) == 0)
        lately.record([Self.contact(1), Self.contact(2)], unixMilliseconds: Self.start)
        let later = Self.start + Self.day
        lately.record([Self.contact(1, later)], unixMilliseconds: later)
        #expect(count(lately) == 2)
        lately.record([Self.contact(1, later + 1)], unixMilliseconds: later + 1)
        #expect(count(lately) == 1)
    }

    @Test func `nobody is forgotten while nobody can be heard`() {
        var lately = LatelyHeard()
        lately.record([Self.contact(1), Self.contact(2)], unixMilliseconds: Self.start)
        lately.record([], unixMilliseconds: Self.start + 30 * Self.day)
        #expect(count(lately) == 2)
    }

    @Test func `the time a node did not run counts for nothing`() {
        let before = [Self.contact(1), Self.contact(2, Self.start - Self.day / 2)]
        let now = Self.start + 9 * Self.day
        var lately = LatelyHeard(before, unixMilliseconds: now)
        lately.record([Self.contact(3, now + 1)], unixMilliseconds: now + 1)
        #expect(count(lately) == 3)
        let later = now + Self.day
        lately.record([Self.contact(3, later)], unixMilliseconds: later)
        #expect(count(lately) == 2, "the second was older")
    }

    @Test(arguments: [0, 1, start, UInt64.max])
    func `a clock that was wrong makes nobody be forgotten`(answered: UInt64) {
        var lately = LatelyHeard(
            [Self.contact(1, answered), Self.contact(2, answered)],
            unixMilliseconds: Self.start
        )
        lately.record([Self.contact(3, Self.start)], unixMilliseconds: Self.start)
        #expect(count(lately) == 3)
        lately.record([Self.contact(3, .max)], unixMilliseconds: Self.start + 1)
        #expect(count(lately) == 3)
    }

    @Test func `members that are expelled are not counted`() {
        var lately = LatelyHeard()
        lately.record([Self.contact(1), Self.contact(2)], unixMilliseconds: Self.start)
        let first = Self.contact(1).identity
        #expect(lately.count { $0 != first } == 1)
        lately.forget { $0 == first }
        #expect(count(lately) == 1)
    }

    @Test func `those are kept that answered last`() {
        var lately = LatelyHeard()
        var contacts: [RememberedContact] = []
        for number in 0..<UInt64(LatelyHeard.capacity) + 8 {
            var bytes = [UInt8](repeating: 0, count: 32)
            (bytes[0], bytes[1]) = (UInt8(number >> 8), UInt8(number & 0xFF))
            guard let identity = Identity(bytes) else { continue }
            let endpoint = Endpoint(ipv4: 1, port: 1)
            contacts.append(.init(identity: identity, endpoint: endpoint, answered: Self.start + number))
        }
        lately.record(contacts, unixMilliseconds: Self.start + 10_000)
        #expect(count(lately) == LatelyHeard.capacity)
        #expect(lately.contactsByAge.first == contacts.last)
        #expect(!lately.contactsByAge.contains(contacts[7]))
    }

    // MARK: What a write needs

    @Test func `a record ought to have a copy at each of the last eight, ourselves included`() {
        func target(_ expected: Int) -> Int { Company(expected: expected, members: nil, up: 0).target }
        #expect([0, 1, 6, 7, 8, 100].map(target) == [1, 2, 7, 8, 8, 8])
    }

    @Test func `one copy is not enough where there is anybody else`() {
        let options = PutOptions()
        #expect((1...8).map { options.copies(of: $0) } == [1, 2, 2, 2, 3, 4, 5, 6])
    }

    @Test func `who is alone by choice is not isolated`() {
        #expect(!Company(expected: 0, members: 0, up: 0).isIsolated)
        #expect(Company(expected: 3, members: 19, up: 0).isIsolated)
        #expect(!Company(expected: 3, members: 19, up: 1).isIsolated)
        #expect(Company(expected: 3, members: 19, up: 0).isolation == "none of 19 members answers")
        #expect(Company(expected: 1, members: 1, up: 0).isolation == "the only other member does not answer")
        #expect(Company(expected: 3, members: nil, up: 0).isolation == "none of 3 members answers")
    }

    // MARK: When it is told

    @Test func `that nobody answers is told once after five seconds, and that somebody does again`() {
        var watch = HealthWatch()
        let start = Instant(nanoseconds: 1)
        let (alone, whole) = (
            Company(expected: 2, members: 2, up: 0), Company(expected: 2, members: 2, up: 1)
        )
        #expect(watch.record(alone, at: start) == nil)
        #expect(watch.record(alone, at: start + .milliseconds(4999)) == nil)
        #expect(watch.record(alone, at: start + .seconds(5)) == .isolated)
        #expect(watch.record(alone, at: start + .seconds(3600)) == nil)
        #expect(watch.record(whole, at: start + .seconds(3601)) == .whole)
        #expect(watch.record(whole, at: start + .seconds(3602)) == nil)
        #expect(watch.record(alone, at: start + .seconds(3603)) == nil, "the patience begins anew")
        #expect(watch.record(alone, at: start + .seconds(3608)) == .isolated)
    }

    @Test func `a moment's silence is not told`() {
        var watch = HealthWatch()
        let start = Instant(nanoseconds: 1)
        #expect(watch.record(Company(expected: 2, members: 2, up: 0), at: start) == nil)
        #expect(watch.record(Company(expected: 2, members: 2, up: 1), at: start + .seconds(4)) == nil)
        #expect(watch.record(Company(expected: 2, members: 2, up: 0), at: start + .seconds(6)) == nil)
    }

    @Test func `a read that found nothing and missed those who would know is no proof`() async throws {
        let node = try await DHTNode.start(try Team(1).configuration(of: 0))
        func blindness(silent: Int, of closest: Int) -> DHTError? {
            let outcome = GetOutcome(found: [], answered: 2, asked: 9, silent: silent, closest: closest)
            return node.blindness(of: outcome, among: nil)
        }
        #expect(blindness(silent: 0, of: 8) == nil)
        #expect(
            blindness(silent: 5, of: 8) == nil,
            "three answered, of whom one has whatever was acknowledged"
        )
        let error = try #require(blindness(silent: 6, of: 8))
        #expect(error.code == .unreachable && error.remedy == .peers)
        #expect(error.description.contains("6 of the 8 nodes that ought to have it did not answer"))
        #expect(blindness(silent: 1, of: 3) == nil && blindness(silent: 2, of: 3) != nil)
        await node.stop()
    }
}
