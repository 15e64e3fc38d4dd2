import Testing

@testable import DHTCore

@Suite struct OwnRevisionsTests {
    private func at(_ seconds: UInt64) -> Revision { Revision(unixMilliseconds: seconds * 1000, above: nil) }

    @Test func `the last counts unless it is far ahead of the clock, then the one before`() {
        var own = OwnRevisions(at(1000))
        own.issue(at(2000))
        own.issue(at(90_000))
        #expect(own.last == at(90_000) && own.earlier == [at(1000), at(2000)])
        #expect(own.highest(notFarAheadOf: 89_700_000) == at(90_000))
        #expect(own.highest(notFarAheadOf: 89_699_999) == at(2000))
        #expect(own.highest(notFarAheadOf: 1_700_000) == at(2000))
        #expect(own.highest(notFarAheadOf: 1_699_999) == at(1000))
        #expect(own.highest(notFarAheadOf: 699_999) == nil)
    }

    @Test func `what was gone back behind counts no more`() {
        var own = OwnRevisions(at(1000))
        own.issue(at(90_000))
        own.issue(at(91_000))
        own.issue(at(1500))
        #expect(own.last == at(1500) && own.earlier == [at(1000)])
    }

    @Test func `many writes under a wrong clock do not make it forget those before`() {
        var own = OwnRevisions(at(1000))
        own.issue(at(2000))
        for second in 0..<1000 as Range<UInt64> { own.issue(at(90_000 + second)) }
        #expect(own.last == at(90_999) && own.earlier.count == OwnRevisions.earlierCapacity)
        #expect(own.highest(notFarAheadOf: 2_000_000) == at(2000))
        #expect(own.highest(notFarAheadOf: 1_000_000) == at(1000))
    }

    @Test func `what was remembered is in order, and below the last`() {
        let own = OwnRevisions(last: at(9), earlier: [at(7), at(9), at(3), at(12), at(7), at(5)])
        #expect(own.last == at(9) && own.earlier == [at(3), at(5), at(7)])
        let many = OwnRevisions(last: at(100), earlier: (0..<100).map { at($0) })
        #expect(many.earlier.count == OwnRevisions.earlierCapacity)
        #expect(zip(many.earlier, many.earlier.dropFirst() + [many.last]).allSatisfy { $0 < $1 })
    }
}
