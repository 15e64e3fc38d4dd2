import Testing

@testable import DHTCore

/// Whom a lookup asks, and when it ends. A contact's number is its distance.
@Suite struct LookupTests {
    // MARK: Whom it asks

    @Test func `without seeds it is finished at once`() {
        var lookup = Lookup.ofZero()
        #expect(lookup.isFinished)
        #expect(lookup.nextQueries().isEmpty)
        #expect(lookup.closest.isEmpty)
        #expect((lookup.asked, lookup.answered, lookup.hops) == (0, 0, 0))
    }

    @Test func `it begins with the nearest seeds, nearest first`() {
        var lookup = Lookup.ofZero(seeds: 9, 5, 7, 3)
        #expect(lookup.nextQueries().places == [3, 5, 7])
        #expect(lookup.asked == 3)
        #expect(!lookup.isFinished)
    }

    @Test func `no more than the given number are in flight`() {
        var lookup = Lookup.ofZero(seeds: 9, 5, 7, 3, parallelism: 2)
        #expect(lookup.nextQueries().places == [3, 5])
        #expect(lookup.nextQueries().isEmpty)
        lookup.answer(5)
        #expect(lookup.nextQueries().places == [7])
    }

    @Test func `it asks ever nearer ones until the nearest have answered`() {
        var lookup = Lookup.ofZero(seeds: 40, 50, 60)
        #expect(lookup.nextQueries().places == [40, 50, 60])
        lookup.answer(40, naming: 20, 30)
        #expect(lookup.nextQueries().places == [20])
        lookup.answer(50, naming: 30, 45)
        #expect(lookup.nextQueries().places == [30])
        lookup.answer(60)
        #expect(lookup.nextQueries().isEmpty)
        lookup.answer(20, naming: 40, 30)
        #expect(!lookup.isFinished)
        lookup.answer(30, naming: 20)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [20, 30, 40])
        #expect((lookup.asked, lookup.answered, lookup.hops) == (5, 5, 2))
    }

    @Test func `whoever comes by itself need not be asked, but some of the closest are in any case`() {
        var lookup = Lookup.ofZero(seeds: 10, parallelism: 1, width: 3)
        #expect(lookup.nextQueries().places == [10])
        lookup.pass(.at(9))
        lookup.pass(.at(8))
        lookup.pass(.at(7))  // one of three is asked
        lookup.pass(.at(90))  // nobody would ask it
        lookup.answer(10, naming: 9, 8, 6)
        #expect(lookup.nextQueries().places == [6])
        lookup.answer(6)
        #expect(lookup.nextQueries().places == [7])
        lookup.answer(7)
        #expect(lookup.isFinished && lookup.closest.places == [6, 7, 8])
    }

    @Test func `whoever is there may be asked at once, if it would be by and by`() {
        var lookup = Lookup.ofZero(seeds: 5, 6, 7)
        #expect(lookup.nextQueries().places == [5, 6, 7])
        let (near, far) = (lookup.claim(.at(4)), lookup.claim(.at(8)))
        #expect(near && !far)
        lookup.answer(4)
        lookup.answer(5)
        lookup.answer(6)
        #expect(lookup.isFinished && lookup.closest.places == [4, 5, 6])
    }

    @Test func `it ends when everybody has answered, if they are few`() {
        var lookup = Lookup.ofZero(seeds: 5, 7)
        _ = lookup.nextQueries()
        lookup.answer(5)
        lookup.answer(7)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [5, 7])
    }

    @Test func `the farther ones are not asked once the nearest have answered`() {
        var lookup = Lookup.ofZero(seeds: 1, 2, 3, 4, 5)
        _ = lookup.nextQueries()
        for place in [1, 2, 3] as [UInt8] { lookup.answer(place, naming: 6, 7, 8) }
        #expect(lookup.isFinished)
        #expect(lookup.nextQueries().isEmpty)
        #expect(lookup.asked == 3)
    }

    @Test func `nobody is asked twice`() {
        var lookup = Lookup.ofZero(seeds: 5, 5, 5)
        #expect(lookup.nextQueries().places == [5])
        lookup.answer(5, naming: 5, 3, 3)
        #expect(lookup.nextQueries().places == [3])
        lookup.answer(3, naming: 5, 3)
        #expect(lookup.isFinished)
    }

    @Test func `we are never asked`() {
        var lookup = Lookup.ofZero(seeds: 99, 120)
        #expect(lookup.nextQueries().places == [120])
        lookup.answer(120, naming: 99)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [120])
    }

    @Test func `two identities with one id are both asked`() {
        let twin = Contact(identity: .numbered(77), id: NodeID(firstByte: 5), endpoint: .port(1))
        var lookup = Lookup(
            target: NodeID(firstByte: 0),
            own: .numbered(99),
            goal: .nodes,
            seeds: [twin, .at(5)]
        )
        #expect(lookup.nextQueries() == [.at(5), twin])
    }

    @Test func `hops count the longest chain of contacts`() {
        var lookup = Lookup.ofZero(seeds: 80, width: 8)
        for place in [80, 40, 20, 10] as [UInt8] {
            #expect(lookup.nextQueries().places == [place])
            lookup.answer(place, naming: place / 2)
        }
        #expect(lookup.hops == 4)
    }

    @Test func `the farthest that wait fall off a long shortlist`() {
        var lookup = Lookup.ofZero(seeds: 200, width: 1)
        _ = lookup.nextQueries()
        let crowd = (100..<120).filter { $0 != 99 }.map { Contact.at(UInt8($0)) }
        lookup.answered(Contact.at(200).identity, contacts: crowd.reversed(), bearing: false)
        #expect(lookup.failAll() == [100, 101, 102, 103, 104, 105, 106, 107])
        #expect(lookup.closest.places == [200])
    }

    @Test func `so many failures are remembered, those nearest to the target`() {
        var lookup = Lookup.ofZero(seeds: 50, 60, 70, width: 1)
        for place in [50, 60] as [UInt8] {
            #expect(lookup.nextQueries().places == [place])
            lookup.slow(place)
        }
        #expect(lookup.nextQueries().places == [70])
        lookup.answer(70, naming: 10, 11, 12, 13, 14, 15, 16, 17)
        #expect(lookup.failAll() == [10, 11, 12, 13, 14, 15, 16, 17])
        lookup.answer(60, naming: 10, 17, 20)
        #expect(lookup.failAll() == [20])
        lookup.answer(50, naming: 10, 17, 20)
        #expect(lookup.failAll() == [20])
    }

    // MARK: Failures

    @Test func `the next takes the place of one that failed`() {
        var lookup = Lookup.ofZero(seeds: 1, 2, 3, 4)
        _ = lookup.nextQueries()
        lookup.fail(2)
        #expect(lookup.nextQueries().places == [4])
        for place in [1, 3, 4] as [UInt8] { lookup.answer(place) }
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [1, 3, 4])
    }

    @Test func `it ends empty if all fail`() {
        var lookup = Lookup.ofZero(seeds: 1, 2)
        _ = lookup.nextQueries()
        lookup.fail(1)
        #expect(!lookup.isFinished)
        lookup.fail(2)
        #expect(lookup.isFinished)
        #expect(lookup.closest.isEmpty)
        #expect((lookup.asked, lookup.answered) == (2, 0))
    }

    @Test func `one that failed is not asked again at the same place`() {
        var lookup = Lookup.ofZero(seeds: 1, 2)
        _ = lookup.nextQueries()
        lookup.fail(1)
        lookup.answer(2, naming: 1)
        #expect(lookup.nextQueries().isEmpty)
        #expect(lookup.isFinished)
    }

    @Test func `answers and failures of those not asked change nothing`() {
        var lookup = Lookup.ofZero(seeds: 1, 2, 3, 4)
        _ = lookup.nextQueries()
        lookup.answer(4, naming: 9)
        lookup.answer(55, naming: 56)
        lookup.fail(4)
        lookup.slow(4)
        lookup.answer(1)
        lookup.answer(1)
        lookup.fail(1)
        #expect(lookup.answered == 1)
        #expect(lookup.closest.places == [1])
        lookup.fail(2)
        lookup.fail(3)
        #expect(lookup.nextQueries().places == [4])
    }

    // MARK: Slow ones

    @Test func `another is asked in the place of a slow one`() {
        var lookup = Lookup.ofZero(seeds: 1, 2, 3, 4, 5)
        _ = lookup.nextQueries()
        lookup.slow(1)
        #expect(lookup.nextQueries().places == [4])
        lookup.slow(2)
        #expect(lookup.nextQueries().places == [5])
    }

    @Test func `a slow one among the nearest is waited for`() {
        var lookup = Lookup.ofZero(seeds: 1, 2, 3, 4)
        _ = lookup.nextQueries()
        lookup.slow(1)
        _ = lookup.nextQueries()
        for place in [2, 3, 4] as [UInt8] { lookup.answer(place) }
        #expect(!lookup.isFinished)
        lookup.answer(1)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [1, 2, 3])
    }

    @Test func `a slow one that fails is replaced by those asked meanwhile`() {
        var lookup = Lookup.ofZero(seeds: 1, 2, 3, 4)
        _ = lookup.nextQueries()
        lookup.slow(1)
        _ = lookup.nextQueries()
        for place in [2, 3, 4] as [UInt8] { lookup.answer(place) }
        lookup.fail(1)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [2, 3, 4])
    }

    @Test func `a slow one farther than the nearest is not waited for`() {
        var lookup = Lookup.ofZero(seeds: 1, 2, 9)
        _ = lookup.nextQueries()
        lookup.slow(9)
        lookup.answer(1, naming: 3)
        #expect(lookup.nextQueries().places == [3])
        lookup.answer(2)
        lookup.answer(3)
        #expect(lookup.isFinished)
    }

    // MARK: Another endpoint

    @Test func `one that failed is asked once more where others say it is`() {
        var lookup = Lookup.ofZero(seeds: 1, 2)
        _ = lookup.nextQueries()
        lookup.fail(1)
        lookup.answered(Contact.at(2).identity, contacts: [.at(1, port: 5000)], bearing: false)
        #expect(!lookup.isFinished)
        #expect(lookup.nextQueries() == [.at(1, port: 5000)])
        lookup.answer(1)
        #expect(lookup.closest == [.at(1, port: 5000), .at(2)])
        #expect((lookup.asked, lookup.answered) == (3, 2))
    }

    @Test func `another endpoint named before the failure is tried after it`() {
        var lookup = Lookup.ofZero(seeds: 1, 2)
        _ = lookup.nextQueries()
        lookup.answered(Contact.at(2).identity, contacts: [.at(1, port: 5000)], bearing: false)
        #expect(lookup.nextQueries().isEmpty)
        lookup.fail(1)
        #expect(lookup.nextQueries() == [.at(1, port: 5000)])
    }

    @Test func `the first endpoint is kept while it may answer`() {
        var lookup = Lookup.ofZero(seeds: 1, 2)
        _ = lookup.nextQueries()
        lookup.answered(Contact.at(2).identity, contacts: [.at(1, port: 5000)], bearing: false)
        lookup.answer(1)
        #expect(lookup.closest == [.at(1), .at(2)])
        #expect(lookup.isFinished)
    }

    @Test func `there is one more chance, not two`() {
        var lookup = Lookup.ofZero(seeds: 1, 2, 3)
        _ = lookup.nextQueries()
        lookup.fail(1)
        lookup.answered(Contact.at(2).identity, contacts: [.at(1, port: 5000)], bearing: false)
        _ = lookup.nextQueries()
        lookup.fail(1)
        lookup.answered(Contact.at(3).identity, contacts: [.at(1, port: 6000), .at(1)], bearing: false)
        #expect(lookup.nextQueries().isEmpty)
        #expect(lookup.isFinished)
    }
}
