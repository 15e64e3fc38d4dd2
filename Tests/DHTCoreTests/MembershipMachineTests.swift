import Testing

@testable import DHTCore

/// How a node finds others, each machine by itself.
struct MembershipMachineTests {
    private var generator: any RandomNumberGenerator & Sendable = SplitMix64(seed: 1)

    // MARK: Joining

    @Test func `our own place is looked up again while new contacts come, and a last time in any case`() {
        var (busy, idle) = (Joining(), Joining())
        #expect(busy.begin() == true)
        #expect(idle.begin() == true)
        #expect(busy.begin() == false)
        var (dues, idleDues) = ([UInt64](), [UInt64]())
        var (now, idleNow) = (at(0), at(0))
        while let due = busy.ended(at: now) {
            dues.append(due.since(now).nanoseconds / 1_000_000_000)
            busy.meet()
            #expect(busy.takeRejoin(at: now) == nil)
            #expect(busy.takeRejoin(at: due)?.isFirst == (dues.count == 1))
            busy.meet()
            now = due
        }
        while let due = idle.ended(at: idleNow) {
            idleDues.append(due.since(idleNow).nanoseconds / 1_000_000_000)
            _ = idle.takeRejoin(at: due)
            idleNow = due
        }
        #expect(dues == [1, 4, 15, 60])
        #expect(idleDues == [1, 60])
    }

    @Test func `while a crowd comes our own place is not looked up again, though not for ever`() {
        var joining = Joining()
        _ = joining.begin()
        _ = joining.ended(at: at(0))
        func come(_ count: Int) { for _ in 0..<count { joining.meet() } }
        come(Joining.crowd)
        #expect(joining.takeRejoin(at: at(1)) == nil)
        #expect(joining.nextRejoin == at(2))
        come(Joining.crowd - 1)
        #expect(joining.takeRejoin(at: at(2))?.isFirst == true)
        // The later ones are as far apart as ever.
        come(1)
        #expect(joining.ended(at: at(2)) == at(6))
        come(100)
        #expect(joining.takeRejoin(at: at(6))?.isFirst == false)

        joining = Joining()
        _ = joining.begin()
        _ = joining.ended(at: at(0))
        for second in 1...10 as ClosedRange<UInt64> {
            come(100)
            #expect(joining.takeRejoin(at: at(second)) == nil)
        }
        come(100)
        #expect(joining.takeRejoin(at: at(11))?.isFirst == true)
    }

    @Test func `the key space is looked through once, some time after joining`() {
        var joining = Joining()
        _ = joining.begin()
        _ = joining.ended(at: at(10))
        #expect(joining.takeFirstRefresh(at: at(11)) == .later(at(30)))
        #expect(joining.takeFirstRefresh(at: at(30)) == .due)
        #expect(joining.takeFirstRefresh(at: at(31)) == .done)
    }

    @Test func `operations wait in order, and go when the neighbours are known or patience ends`() {
        var joining = Joining()
        joining.start(at: at(10))
        joining.start(at: at(11))
        #expect(!joining.isSettled(at: at(11), patience: .seconds(2)))
        #expect(joining.isSettled(at: at(12), patience: .seconds(2)))
        #expect(joining.patienceEnd(.seconds(2)) == at(12))
        let names = (1...3).map { OperationID.user($0) }
        joining.wait(.ping(.numbered(1), id: NodeID(firstByte: 1)), as: names[0])
        joining.wait(.ping(.numbered(2), id: NodeID(firstByte: 2)), as: names[1])
        joining.wait(.leave, as: names[2])
        #expect(joining.cancel(names[0]) == true)
        #expect(joining.cancel(names[0]) == false)
        #expect(joining.cancel(names[2]) == false)
        #expect(joining.takeWaiting().map(\.name) == [names[1], names[2]])
        #expect(!joining.hasWaiting)
    }

    // MARK: Seeds

    private func seeds(_ count: UInt64, at second: UInt64 = 0) -> Seeds {
        var seeds = Seeds()
        let peers = (1...count).map { (Identity.numbered($0), NodeID(firstByte: UInt8($0 % 256))) }
        seeds.replace(with: peers, own: .numbered(1), knowsOthers: false, at: at(second))
        return seeds
    }

    @Test func `the first round asks all but ourselves and those who are there, a share at a time`() {
        var (seeds, absence) = (seeds(150), Absence())
        var (rounds, now) = ([Int](), at(0))
        for _ in 0..<3 {
            let due = seeds.take(at: now, paying: &absence, own: .numbered(1)) {
                $0.identity != .numbered(2)
            }
            rounds.append(due.count)
            #expect(due.contains(0) == false)
            #expect(due.contains(1) == false)
            now = seeds.nextAttempt
        }
        #expect(rounds == [62, 64, 22])
    }

    @Test mutating func `a seed that fails is asked again after pauses that double up to a quarter minute`() {
        var (seeds, absence, now) = (seeds(2), Absence(), at(0))
        var pauses: [UInt64] = []
        for _ in 0..<8 {
            #expect(seeds.take(at: now, paying: &absence, own: .numbered(1)) { _ in true } == [1])
            #expect(seeds.underWay(1) != nil)
            #expect(seeds.underWay(0) == nil)
            let next = seeds.failed(1, at: now, using: &generator)
            pauses.append(next.since(now).nanoseconds / 1_000_000)
            now = next
        }
        for (pause, least) in zip(pauses, [1000, 2000, 4000, 8000, 15_000, 15_000] as [UInt64]) {
            #expect((least...least * 5 / 4).contains(pause))
        }
        seeds.hurry(at: now)
        #expect(seeds.nextAttempt == now)
    }

    @Test func `there are others to wait for if a seed is not ourselves`() {
        var seeds = Seeds()
        let own = (Identity.numbered(1), NodeID(firstByte: 1))
        seeds.replace(with: [own], own: own.0, knowsOthers: false, at: at(0))
        #expect(!seeds.knowsOthers)
        seeds.replace(with: [own], own: own.0, knowsOthers: true, at: at(0))
        #expect(seeds.knowsOthers)
        seeds.replace(
            with: [own, (.numbered(2), own.1)],
            own: own.0,
            knowsOthers: false,
            at: at(0)
        )
        #expect(seeds.knowsOthers)
    }

    // MARK: Saved contacts, isolation

    @Test func `saved contacts are asked after pauses that double, and at once when the network changed`() {
        var saved = SavedContacts([.at(2), .at(3)])
        var (now, pauses) = (at(0), [UInt64]())
        for _ in 0..<7 {
            let (contacts, next) = saved.take(at: now)
            #expect(contacts == [.at(2), .at(3)])
            #expect(saved.take(at: now) == ([], next))
            pauses.append(next.since(now).nanoseconds / 1_000_000_000)
            now = next
        }
        #expect(pauses == [30, 60, 120, 240, 480, 480, 480])
        _ = saved.take(at: now)
        saved.hurry()
        #expect(saved.take(at: now).contacts.count == 2)
    }

    @Test func `one contact after the other is asked every two seconds by who counts on nobody`() {
        var isolation = Isolation()
        #expect(isolation.probe(of: 3, at: at(0)) == (nil, at(2)))
        let asked = (1...6).map { isolation.probe(of: 3, at: at($0 * 2)).index }
        #expect(Set(asked).count == 3)
        #expect(asked.prefix(3) == asked.suffix(3))
        isolation.end()
        #expect(isolation.probe(of: 3, at: at(20)) == (nil, at(22)))
    }

    @Test func `all are asked again when one comes back, once paid for and not within half a minute`() {
        var (isolation, absence) = (Isolation(), Absence())
        #expect(isolation.revive(1000, paying: &absence, at: at(0)) == true)
        #expect(isolation.revive(1000, paying: &absence, at: at(29)) == false)
        #expect(
            isolation.revive(1000, paying: &absence, at: at(31)) == false,
            "the first time is not paid for"
        )
        #expect(isolation.revive(1000, paying: &absence, at: at(200)) == true)
    }

    // MARK: Verifications

    @Test func `a contact is asked once for one address, and not again within half a minute by hearsay`() {
        var asked = Verifications(own: NodeID(firstByte: 0))
        #expect(asked.begin(.at(2), .named, at: at(0)) == true)
        #expect(asked.begin(.at(2), .inbound, at: at(0)) == false)
        asked.end(.at(2))
        #expect(asked.begin(.at(2), .named, at: at(29)) == false)
        #expect(asked.begin(.at(2), .inbound, at: at(29)) == true)
        asked.end(.at(2))
        #expect(asked.begin(.at(2), .named, at: at(31)) == true)
    }

    @Test func `who arrives is not asked, who left is not looked for`() {
        var asked = Verifications(own: NodeID(firstByte: 0))
        asked.arrives(.at(2), at: at(0))
        #expect(asked.isArriving(.at(2), at: at(1)) == true)
        #expect(asked.begin(.at(2), .named, at: at(1)) == false)
        #expect(asked.begin(.at(2), .named, at: at(3)) == true)
        asked.hint(.at(3), at: at(0))
        asked.left(.at(3), at: at(0))
        #expect(asked.nextHint(at: at(1)) == nil)
        #expect(asked.begin(.at(3), .inbound, at: at(1)) == false)
        #expect(asked.begin(.at(3), .inbound, at: at(31)) == true)
    }

    @Test func `hints wait while sixteen are asked`() {
        var asked = Verifications(own: NodeID(firstByte: 0))
        for place in 1...40 as ClosedRange<UInt8> { asked.hint(.at(place), at: at(0)) }
        var count = 0
        while let next = asked.nextHint(at: at(1)) {
            #expect(asked.begin(next, .named, at: at(1)) == true)
            count += 1
        }
        #expect(count == 16)
        #expect(asked.hints.count == 24)
        asked.end(.at(1))
        #expect(asked.nextHint(at: at(1)) == .at(17))
    }

    @Test func `a contact that returns is asked every two seconds at most`() {
        var asked = Verifications(own: NodeID(firstByte: 0))
        #expect(asked.returned(.at(2), at: at(0)) == true)
        #expect(asked.returned(.at(2), at: at(1)) == false)
        #expect(asked.returned(.at(2), at: at(2)) == true)
    }

    // MARK: Small ones

    @Test func `prefixes that were not found are looked for again after a minute`() {
        var prefixes = UnfindablePrefixes()
        prefixes.record([7, 8], at: at(0))
        #expect(prefixes.holds(7, at: at(59)) == true)
        #expect(prefixes.holds(7, at: at(60)) == false)
        #expect(prefixes.holds(9, at: at(0)) == false)
        for number in 0..<5000 as Range<UInt32> { prefixes.record([number], at: at(0)) }
        #expect(prefixes.count <= UnfindablePrefixes.capacity)
    }

    @Test func `others are told the bound addresses, and of another family where peers saw us`() {
        var addresses = OwnAddresses()
        let six = Endpoint.bytes([0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 1, count: 12), port: 5)
        addresses.bound = [.port(7)]
        addresses.supposed = [.bytes([0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 2, count: 12), port: 5)]
        let other = Endpoint.port(9)
        #expect(addresses.told(to: other, in: .ipv4) == [.port(7)])
        #expect(addresses.told(to: other, in: .all) == [.port(7)] + addresses.supposed)
        addresses.observe(six)
        #expect(addresses.told(to: other, in: .all) == [.port(7), six])
    }
}
