import DHTCore
import Testing

/// Lookups of values: how many are asked, when it is enough, and who lacks a copy.
@Suite struct LookupValuesTests {
    @Test func `a get asks no more at once than the replicas it wants`() {
        var one = Lookup.ofZero(.values(replicas: 1), seeds: 1, 2, 3, 4)
        #expect(one.nextQueries().places == [1])
        var two = Lookup.ofZero(.values(replicas: 2), seeds: 1, 2, 3, 4)
        #expect(two.nextQueries().places == [1, 2])
        var many = Lookup.ofZero(.values(replicas: 8), seeds: 1, 2, 3, 4)
        #expect(many.nextQueries().places == [1, 2, 3])
    }

    @Test func `a get ends with the last replica it wants`() {
        var lookup = Lookup.ofZero(.values(replicas: 2), seeds: 1, 2, 3, 4)
        _ = lookup.nextQueries()
        lookup.answer(2, bearing: true, naming: 0)
        #expect(!lookup.isFinished)
        #expect(lookup.nextQueries().isEmpty)
        lookup.answer(1, bearing: true)
        #expect(lookup.isFinished)
        #expect(lookup.nextQueries().isEmpty)
        #expect((lookup.asked, lookup.answered, lookup.bearing) == (2, 2, 2))
    }

    @Test(arguments: ["empty-handed", "slow", "failed"])
    func `a get goes on at full width once one brings nothing`(fate: String) {
        var lookup = Lookup.ofZero(.values(replicas: 1), seeds: 1, 2, 3, 4, 5, width: 8)
        _ = lookup.nextQueries()
        switch fate {
        case "empty-handed": lookup.answer(1)
        case "slow": lookup.slow(1)
        default: lookup.fail(1)
        }
        #expect(lookup.nextQueries().places == [2, 3, 4])
    }

    @Test func `our own copy counts as one of the replicas`() {
        var lookup = Lookup.ofZero(.values(replicas: 3), seeds: 1, 2, 3, 4)
        lookup.countLocalAnswer()
        #expect(lookup.nextQueries().places == [1, 2])
        lookup.answer(1, bearing: true)
        lookup.answer(2, bearing: true)
        #expect(lookup.isFinished)
        #expect((lookup.answered, lookup.bearing) == (2, 3))
    }

    @Test func `our own copy is enough where one replica is`() {
        var lookup = Lookup.ofZero(.values(replicas: 1), seeds: 1, 2)
        lookup.countLocalAnswer()
        #expect(lookup.isFinished)
        #expect(lookup.nextQueries().isEmpty)
    }

    @Test func `a get of what is nowhere ends when the nearest have answered`() {
        var lookup = Lookup.ofZero(.values(replicas: 1), seeds: 1, 2, 3, 4)
        #expect(lookup.nextQueries().places == [1])
        lookup.answer(1)
        #expect(lookup.nextQueries().places == [2, 3])
        lookup.answer(2)
        #expect(lookup.nextQueries().isEmpty)
        lookup.answer(3)
        #expect(lookup.isFinished)
        #expect(lookup.bearing == 0)
        #expect(lookup.closest.places == [1, 2, 3])
        #expect(lookup.answeredWithout.places == [1, 2, 3])
    }

    @Test func `a get does not wait for a slow one when it has enough`() {
        var lookup = Lookup.ofZero(.values(replicas: 2), seeds: 1, 2, 3)
        _ = lookup.nextQueries()
        lookup.slow(1)
        _ = lookup.nextQueries()
        lookup.answer(2, bearing: true)
        lookup.answer(3, bearing: true)
        #expect(lookup.isFinished)
    }

    @Test func `those of the nearest that lack the record are told`() {
        var lookup = Lookup.ofZero(.values(replicas: 3), seeds: 1, 2, 3, 4, 5, width: 4)
        _ = lookup.nextQueries()
        lookup.answer(1)
        lookup.answer(2, bearing: true)
        lookup.fail(3)
        #expect(lookup.nextQueries().places == [4, 5])
        lookup.answer(5)
        lookup.answer(4, bearing: true)
        #expect(lookup.isFinished)
        #expect(lookup.answeredWithout.places == [1, 5])
        #expect(lookup.closest.places == [1, 2, 4, 5])
    }

    @Test func `one that is not among the nearest is not told to lack the record`() {
        var lookup = Lookup.ofZero(.values(replicas: 1), seeds: 8, width: 2)
        _ = lookup.nextQueries()
        lookup.answer(8, naming: 1, 2)
        _ = lookup.nextQueries()
        lookup.answer(1, bearing: true)
        #expect(lookup.isFinished)
        #expect(lookup.answeredWithout.isEmpty)
        #expect(lookup.closest.places == [1, 8])
    }
}
