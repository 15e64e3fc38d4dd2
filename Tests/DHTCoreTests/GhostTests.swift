import Testing

@testable import DHTCore

/// Members that name others who are not there: nobody waits for them, and nobody is missed for their sake. A
/// contact's number is its distance.
@Suite struct GhostTests {
    private static let goals: [Lookup.Goal] = [
        .nodes, .reachable, .values(replicas: 1), .values(replicas: 3),
    ]

    @Test(arguments: goals)
    func `one that only one peer names and that is late keeps no lookup from its end`(goal: Lookup.Goal) {
        var lookup = Lookup.ofZero(goal, seeds: 10, 20, 30)
        var pending = lookup.nextQueries().places
        while !pending.isEmpty {
            let place = pending.removeFirst()
            switch place {
            case ..<10: lookup.slow(place)
            case 10: lookup.answer(10, naming: 1, 2, 3)
            default: lookup.answer(place, naming: 10)
            }
            pending += lookup.nextQueries().places
        }
        #expect(lookup.nextQueries().isEmpty)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [10, 20, 30])
        #expect(lookup.answeredNearest.places == [10, 20, 30])
        #expect(lookup.reachable.map(\.contact).places == [10, 20, 30])
    }

    @Test(arguments: goals)
    func `one that two peers name is waited for`(goal: Lookup.Goal) {
        var lookup = Lookup.ofZero(goal, seeds: 10, 20)
        _ = lookup.nextQueries()
        lookup.answer(10, naming: 1)
        _ = lookup.nextQueries()
        lookup.answer(20, naming: 1)
        _ = lookup.nextQueries()
        lookup.slow(1)
        #expect(!lookup.isFinished)
        lookup.answer(1, bearing: true)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [1, 10, 20])
    }

    @Test(arguments: goals)
    func `one that answered us before is waited for, whoever names it`(goal: Lookup.Goal) {
        var lookup = Lookup.ofZero(goal, seeds: 10)
        _ = lookup.nextQueries()
        lookup.answer(10, naming: 1, 2, known: [1])
        _ = lookup.nextQueries()
        for place in [1, 2] as [UInt8] { lookup.slow(place) }
        #expect(!lookup.isFinished)
        lookup.fail(1)
        #expect(lookup.isFinished)
    }

    @Test func `the second word may come when it is late already`() {
        var lookup = Lookup.ofZero(seeds: 10, 20)
        _ = lookup.nextQueries()
        lookup.answer(10, naming: 1)
        _ = lookup.nextQueries()
        lookup.slow(1)
        lookup.answer(20, naming: 1)
        #expect(!lookup.isFinished)
    }

    @Test func `a peer's own word counts once, however often it comes`() {
        var lookup = Lookup.ofZero(seeds: 10)
        _ = lookup.nextQueries()
        lookup.answer(10, naming: 1, 1, 1)
        #expect(lookup.nextQueries().places == [1])
        lookup.slow(1)
        #expect(lookup.isFinished)
    }

    @Test func `the peer that is looked for is waited for`() {
        var lookup = Lookup.ofZero(seeds: 10)
        _ = lookup.nextQueries()
        lookup.answer(10, naming: 0)
        #expect(lookup.nextQueries().places == [0])
        lookup.slow(0)
        #expect(!lookup.isFinished)
    }

    @Test func `those asked in its place are the closest that are there`() {
        var lookup = Lookup.ofZero(.values(replicas: 2), seeds: 10, 20, 30, 40, 50)
        #expect(lookup.nextQueries().places == [10, 20])
        lookup.answer(10, naming: 1, 2, 3)
        while let ghost = lookup.nextQueries().places.first(where: { $0 < 10 }) { lookup.slow(ghost) }
        for ghost in [1, 2, 3] as [UInt8] { lookup.slow(ghost) }
        lookup.answer(20, bearing: true)
        #expect(!lookup.isFinished)
        #expect(lookup.nextQueries().places == [30])
        lookup.answer(30, bearing: true)
        #expect(lookup.isFinished)
        #expect(lookup.bearing == 2)
        #expect(lookup.answeredWithout.places == [10])
    }

    @Test func `one that answers after all is one of them`() {
        var lookup = Lookup.ofZero(seeds: 10, 20, 30)
        _ = lookup.nextQueries()
        lookup.answer(10, naming: 1)
        _ = lookup.nextQueries()
        lookup.slow(1)
        lookup.answer(20)
        lookup.answer(1, naming: 2)
        #expect(lookup.nextQueries().places == [2])
        lookup.answer(2)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [1, 2, 10])
    }

    // MARK: Paths

    @Test func `of several paths none waits for one that only one peer names`() {
        var lookup = DisjointLookup.ofZero(.values(replicas: 1), seeds: [10, 20, 30, 40], paths: 2)
        var pending = lookup.nextQueries().places
        while !pending.isEmpty {
            let place = pending.removeFirst()
            switch place {
            case ..<10: lookup.slow(place)
            case 10: lookup.answer(10, naming: 1, 2, 3)
            default: lookup.answer(place)
            }
            pending += lookup.nextQueries().places
        }
        #expect(lookup.isFinished)
        #expect(lookup.answerers.places == [10, 20, 30, 40])
    }

    @Test func `whom two paths hear of is waited for`() {
        for order in [[10, 20], [20, 10]] as [[UInt8]] {
            var lookup = DisjointLookup.ofZero(seeds: [10, 20], paths: 2)
            _ = lookup.nextQueries()
            for place in order { lookup.answer(place, naming: 1) }
            #expect(lookup.nextQueries().places == [1])
            lookup.slow(1)
            #expect(!lookup.isFinished)
            lookup.answer(1)
            #expect(lookup.isFinished)
        }
    }

    // MARK: A node

    @Test func `a read of what is nowhere ends when the absent that one member names are late`() {
        var transcript = Transcript(.at(200))
        transcript.meet(10, 20, 30)
        let location = NodeID(firstByte: 0)
        transcript.on(at: now(1)) { node, turn in
            let get = KademliaOperation.get(
                location: location,
                author: nil,
                replicas: 3,
                isExhaustive: false
            )
            node.submit(get, as: OperationID.user(1), in: &turn)
        }
        var (pending, late): ([KademliaAction], [CallID]) = (transcript.actions, [])
        var outcomes: [KademliaOutcome] = []
        while !pending.isEmpty {
            transcript.on(at: now(1)) { node, turn in
                switch pending.removeFirst() {
                case .call(let call, let contact, .findValue, _) where contact.id.bytes[0] >= 10:
                    // Member 10 lies, the others know of each other.
                    let named: [UInt8] = contact.id.bytes[0] == 10 ? [1, 2, 3, 4] : [10, 20, 30]
                    let response = Response.values([], total: 0, closer: named.map { Contact.at($0) })
                    node.answered(call, response, in: &turn)
                case .call(let call, _, _, _):
                    late.append(call)
                    node.overdue(call, in: &turn)
                case .finished(_, let outcome): outcomes.append(outcome)
                default: break
                }
            }
            pending += transcript.actions
        }
        #expect(!late.isEmpty)
        guard case .got(let outcome)? = outcomes.first else {
            Issue.record("the read waits for those who are not there")
            return
        }
        #expect(outcome.found.isEmpty)
        #expect(outcome.answered == 3)
    }
}
