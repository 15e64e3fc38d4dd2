import Testing

@testable import DHTCore

struct PutOperationTests {
    /// A put of a record at place 0 among nodes of an 8-bit space.
    private func put(
        own: UInt8 = 0xFF,
        width: Int = 3,
        hasLookedUp: Bool = false,
        copies: Int = 0,
        record: Record = .sample(at: 0)
    ) -> PutOperation {
        var put = PutOperation(
            record: record,
            condition: nil,
            own: NodeID(firstByte: own),
            identity: .numbered(UInt64(own)),
            lookups: hasLookedUp ? 1 : 0,
            width: width,
            copies: copies
        )
        if hasLookedUp { #expect(put.lookedUp([])?.isEmpty == true) }
        return put
    }

    private func contacts(_ places: UInt8...) -> [Contact] { places.map { .at($0) } }

    private func id(_ place: UInt8) -> Identity { .numbered(UInt64(place)) }

    @Test func `the closest are asked, and we keep a copy if we are among them`() {
        var far = put()
        let first = far.begin(contacts(1, 2, 3, 4, 5))
        #expect(first.places == [1, 2, 3])
        let isOwn = far.takesOwnTurn()
        #expect(!isOwn)

        var near = put(own: 2)
        let second = near.begin(contacts(1, 3, 4, 5))
        #expect(second.places == [1, 3])
        let isFirst = near.takesOwnTurn()
        #expect(isFirst)
        let isSecond = near.takesOwnTurn()
        #expect(!isSecond, "once")
    }

    @Test func `alone we keep the only copy`() {
        var put = put()
        let ask = put.begin([])
        #expect(ask.isEmpty)
        let keepsOwn = put.takesOwnTurn()
        #expect(keepsOwn)
        #expect(!put.isFinished)
        put.ownStoreEnded(.stored)
        #expect(put.isFinished)
        #expect(put.outcome.stored == 1)
    }

    @Test func `our own store takes a long value when another has it, or none says more`() throws {
        let reference = try #require(ContentReference(length: 1000, digest: Record.sample().digest))
        let record = Record.sample(at: 0, value: reference.encoded, kind: .reference)
        var first = put(own: 2, record: record)
        _ = first.begin(contacts(1, 3, 4))
        let before = first.takesOwnTurn()
        #expect(!before)
        _ = first.answered(id(3), .stored)
        let after = first.takesOwnTurn()
        #expect(after)
        let again = first.takesOwnTurn()
        #expect(!again)

        var second = put(own: 2, record: record)
        _ = second.begin(contacts(1, 3))
        _ = second.answered(id(1), .timeout)
        let one = second.takesOwnTurn()
        #expect(!one)
        _ = second.overdue(id(3))
        let both = second.takesOwnTurn()
        #expect(both, "nobody is waited for but who is late")
    }

    @Test func `those that said nothing are asked again, twice, while there are too few copies`() {
        var put = put()
        _ = put.begin(contacts(1, 2, 3))
        put.notice(Instant(nanoseconds: 0))
        let soon = Instant(nanoseconds: 0) + .milliseconds(400)
        _ = put.answered(id(1), .stored)
        #expect(put.insist(at: soon).isEmpty)  // two are still to answer
        _ = put.answered(id(2), .timeout)
        _ = put.answered(id(3), .refused(.denied))
        #expect(put.insist(at: soon).places == [2])
        #expect(!put.isFinished)
        _ = put.answered(id(2), .timeout)
        #expect(put.insist(at: soon).places == [2])
        _ = put.answered(id(2), .timeout)
        #expect(put.isFinished && put.insist(at: soon).isEmpty)
    }

    @Test func `nobody is asked again where there are copies enough, or after two seconds`() {
        for (verdict, milliseconds, isAsked) in [
            (PutOutcome.Verdict.stored, 400, false), (.timeout, 2000, false), (.timeout, 1999, true),
        ] {
            var put = put()
            _ = put.begin(contacts(1, 2, 3))
            put.notice(Instant(nanoseconds: 0))
            _ = put.answered(id(1), verdict)
            _ = put.answered(id(2), .stored)
            _ = put.answered(id(3), .timeout)
            let now = Instant(nanoseconds: 0) + .milliseconds(UInt64(milliseconds))
            put.notice(now)
            #expect(put.insist(at: now).isEmpty != isAsked)
        }
    }

    @Test func `when all have answered it is over`() {
        var put = put()
        _ = put.begin(contacts(1, 2, 3, 4))
        #expect(put.answered(id(1), .stored).isEmpty)
        #expect(put.answered(id(2), .conflict(nil)).isEmpty)
        #expect(!put.isFinished)
        #expect(put.answered(id(3), .stored).isEmpty)
        #expect(put.isFinished)
        #expect(put.outcome.replicas.map(\.verdict) == [.stored, .conflict(nil), .stored])
        #expect(put.outcome.stored == 2)
    }

    @Test(arguments: [PutOutcome.Verdict.refused(.quota), .refused(.unavailable), .timeout])
    func `in the stead of one without room another is asked`(verdict: PutOutcome.Verdict) {
        var put = put()
        _ = put.begin(contacts(1, 2, 3, 4, 5))
        #expect(put.answered(id(2), verdict).places == [4])
        #expect(put.answered(id(4), verdict).places == [5])
        #expect(put.answered(id(5), verdict).isEmpty)
    }

    @Test(arguments: [
        PutOutcome.Verdict.refused(.expired), .refused(.denied), .refused(.clock(unixMilliseconds: 1)),
        .conflict(nil),
    ])
    func `what one refuses for a reason that all share is offered to nobody else`(verdict: PutOutcome.Verdict)
    {
        var put = put()
        _ = put.begin(contacts(1, 2, 3, 4, 5))
        #expect(put.answered(id(2), verdict).isEmpty)
    }

    @Test func `in the stead of one that is overdue another is asked, once`() {
        var put = put()
        _ = put.begin(contacts(1, 2, 3, 4, 5))
        #expect(put.overdue(id(2)).places == [4])
        #expect(put.overdue(id(2)).isEmpty)
        #expect(put.answered(id(2), .timeout).isEmpty)
    }

    @Test func `the late are not waited for once there are copies enough`() {
        var put = put()
        _ = put.begin(contacts(1, 2, 3, 4))
        _ = put.overdue(id(2))
        for place in [1, 3] as [UInt8] { _ = put.answered(id(place), .stored) }
        #expect(!put.isFinished)
        _ = put.answered(id(4), .stored)
        #expect(put.isFinished)
        #expect(put.outcome.stored == 3)
        #expect(put.outcome.replicas.map(\.verdict) == [.stored, .timeout, .stored, .stored])
    }

    @Test func `with copies missing the late are waited for until they fail`() {
        var put = put()
        _ = put.begin(contacts(1, 2))
        put.ownStoreEnded(.stored)
        _ = put.answered(id(1), .stored)
        _ = put.overdue(id(2))
        #expect(!put.isFinished)
        _ = put.answered(id(2), .timeout)
        #expect(put.isFinished)
    }

    @Test func `with two fewer copies than there ought to be the rest has a second more`() {
        var put = put(width: 8)
        _ = put.begin(contacts(1, 2, 3, 4, 5, 6, 7, 8))
        put.notice(at(10))
        for place in 1...5 as ClosedRange<UInt8> { _ = put.answered(id(place), .stored) }
        put.notice(at(12))
        #expect(put.deadline == nil)
        _ = put.answered(id(6), .stored)
        put.notice(at(12))
        #expect(put.deadline == at(13))
        _ = put.answered(id(7), .stored)
        put.notice(at(20))
        #expect(put.deadline == at(13), "nothing moves it")
        #expect(!put.isFinished)
        #expect(put.outcome.replicas.last?.verdict == .timeout)
    }

    @Test func `where copies took long the rest has a quarter of that time more`() {
        var put = put(width: 3)
        _ = put.begin(contacts(1, 2, 3))
        put.notice(at(10))
        for place in 1...2 as ClosedRange<UInt8> { _ = put.answered(id(place), .stored) }
        put.notice(at(50))
        #expect(put.deadline == at(60))
    }

    @Test func `as many copies as its user wants are waited for, and one that is not our own`() {
        var wanted = put(width: 8, copies: 7)
        _ = wanted.begin(contacts(1, 2, 3, 4, 5, 6, 7, 8))
        for place in 1...6 as ClosedRange<UInt8> { _ = wanted.answered(id(place), .stored) }
        wanted.notice(at(10))
        #expect(wanted.deadline == nil)

        var few = put(own: 1)
        _ = few.begin(contacts(2, 3))
        few.ownStoreEnded(.stored)
        few.notice(at(10))
        #expect(few.deadline == nil)
        _ = few.answered(id(2), .stored)
        few.notice(at(10))
        #expect(few.deadline == at(11))
    }

    @Test func `an answer from somebody who was not asked is nothing`() {
        var put = put()
        _ = put.begin(contacts(1, 2, 3))
        #expect(put.answered(id(9), .stored).isEmpty)
        #expect(put.overdue(id(9)).isEmpty)
        #expect(put.outcome.stored == 0)
    }

    @Test func `a node closer than ours of which a replica speaks is asked for, once`() {
        var put = put()
        _ = put.begin(contacts(2, 3, 4))
        let closer = NodeID(firstByte: 1).prefix
        let farther = NodeID(firstByte: 9).prefix
        let known = NodeID(firstByte: 3).prefix
        #expect(put.chase([farther, known, NodeID(firstByte: 0xFF).prefix]).isEmpty)
        #expect(put.chase([closer, known]) == [closer])
        #expect(put.chase([closer]).isEmpty)
        for place in [2, 3, 4] as [UInt8] { _ = put.answered(id(place), .stored) }
        #expect(!put.isFinished)
        put.chased(furtherQuestions: 1)
        #expect(!put.isFinished)
        put.chased()
        #expect(put.found(.at(1)).places == [1])
        #expect(put.found(.at(1)).isEmpty)
        #expect(!put.isFinished)
        _ = put.answered(id(1), .stored)
        #expect(put.isFinished)
        #expect(put.outcome.stored == 4)
    }

    @Test func `three replicas at most are asked for those they speak of`() {
        var put = put()
        _ = put.begin(contacts(0x20, 0x21, 0x22))
        for place in 1...3 as ClosedRange<UInt8> {
            #expect(put.chase([NodeID(firstByte: place).prefix]).count == 1)
            put.chased()
        }
        #expect(put.chase([NodeID(firstByte: 4).prefix]).isEmpty)
    }

    @Test func `any news is worth a question while there are fewer nodes than copies`() {
        var put = put()
        _ = put.begin(contacts(2))
        #expect(!put.chase([NodeID(firstByte: 0x70).prefix]).isEmpty)
    }

    @Test func `after a lookup nobody is asked for closer ones`() {
        var put = put(hasLookedUp: true)
        _ = put.begin(contacts(2, 3, 4))
        #expect(put.chase([NodeID(firstByte: 1).prefix]).isEmpty)
    }

    @Test func `replicas that lack what a condition names are bare if others took the record`() {
        var put = put()
        _ = put.begin(contacts(1, 2, 3))
        _ = put.answered(id(1), .conflict(nil))
        #expect(put.bare.isEmpty)
        _ = put.answered(id(2), .stored)
        _ = put.answered(id(3), .conflict(.sample(at: 0)))
        #expect(put.bare.places == [1])
    }
}
