import DHTCore
import Testing

@Suite struct ReachabilityTests {
    @Test func `one that just answered is good`() {
        let reachability = Reachability(answeredAt: at(100))
        #expect(reachability.grade == .good)
        #expect(reachability.failures == 0)
        #expect(reachability.checkAt == at(100) + .minutes(15))
    }

    @Test func `one failure makes it questionable, two in a row bad`() {
        var reachability = Reachability(answeredAt: at(0))
        reachability.failed(at: at(10))
        #expect(reachability.grade == .questionable)
        reachability.failed(at: at(20))
        #expect(reachability.grade == .bad)
        reachability.failed(at: at(30))
        #expect(reachability.grade == .bad)
        #expect(reachability.failures == 3)
    }

    @Test(arguments: 1...5)
    func `any answer makes it good again`(failures: Int) {
        var reachability = Reachability(answeredAt: at(0))
        for second in 1...failures { reachability.failed(at: at(UInt64(second * 600))) }
        reachability.answered(at: at(5000))
        #expect(reachability == Reachability(answeredAt: at(5000)))
    }

    @Test func `failures count in a row only`() {
        var reachability = Reachability(answeredAt: at(0))
        for second in stride(from: 10 as UInt64, to: 100, by: 10) {
            reachability.failed(at: at(second))
            #expect(reachability.grade == .questionable)
            reachability.answered(at: at(second + 5))
        }
    }

    @Test func `the wait grows from one second to five minutes, and is short after a short silence`() {
        var reachability = Reachability(answeredAt: at(0))
        var now = at(10)
        var last = Interval.seconds(0)
        for attempt in 0..<60 {
            reachability.failed(at: now)
            let wait = reachability.checkAt.since(now)
            let silence = now.since(at(10))
            #expect(wait >= last && wait <= .minutes(5))
            if attempt == 0 { #expect(wait == .seconds(1)) }
            if silence >= .seconds(1), silence <= .seconds(16) { #expect(wait == .seconds(2)) }
            if silence > .seconds(16), silence <= .seconds(2400) { #expect(wait == silence / 8) }
            if silence > .seconds(2400) { #expect(wait == .minutes(5)) }
            last = wait
            now = reachability.checkAt
        }
        #expect(last == .minutes(5))
    }

    @Test func `failures at the same time lengthen the wait once`() {
        var reachability = Reachability(answeredAt: at(0))
        for millisecond in 0..<10 as Range<UInt64> {
            reachability.failed(at: at(10) + .milliseconds(millisecond))
        }
        #expect(reachability.grade == .bad)
        #expect(reachability.checkAt == at(11))
        reachability.failed(at: at(11))
        #expect(reachability.checkAt == at(13))
    }

    @Test func `an answer starts the waits anew`() {
        var reachability = Reachability(answeredAt: at(0))
        for second in [10, 20, 30, 40] as [UInt64] { reachability.failed(at: at(second)) }
        reachability.answered(at: at(50))
        reachability.failed(at: at(60))
        #expect(reachability.checkAt == at(61))
    }

    @Test func `a probe under way is not repeated`() {
        var reachability = Reachability(answeredAt: at(0))
        reachability.failed(at: at(10))
        reachability.probed(at: at(11))
        #expect(reachability.checkAt == at(21))
        #expect(reachability.grade == .questionable)
    }

    @Test func `the end of a probe sets the next wait`() {
        var reachability = Reachability(answeredAt: at(0))
        reachability.failed(at: at(10))
        reachability.probed(at: at(11))
        reachability.failed(at: at(14))
        #expect(reachability.checkAt == at(16))
    }

    @Test func `a probe of a good one is not repeated either`() {
        var reachability = Reachability(answeredAt: at(0))
        reachability.probed(at: at(900))
        #expect(reachability.checkAt == at(910))
        #expect(reachability.grade == .good)
        reachability.failed(at: at(903))
        #expect(reachability.checkAt == at(904))
    }

    @Test func `a long wait is not shortened by a probe`() {
        var reachability = Reachability(answeredAt: at(0))
        for _ in 0..<60 { reachability.failed(at: reachability.checkAt) }
        let due = reachability.checkAt
        reachability.probed(at: due)
        #expect(reachability.checkAt == due + .minutes(5))
    }

    @Test func `a probe that came between ends with the wait as it was`() {
        var reachability = Reachability(answeredAt: at(0))
        for second in [10, 11, 13] as [UInt64] { reachability.failed(at: at(second)) }
        #expect(reachability.checkAt == at(15))
        // It asked us something, was asked whether it is there, and does not answer.
        reachability.probed(at: at(14))
        reachability.failed(at: at(14))
        #expect(reachability.checkAt == at(15))
    }

    @Test func `a reason to ask earlier never makes it later`() {
        var reachability = Reachability(answeredAt: at(0))
        for _ in 0..<12 { reachability.failed(at: reachability.checkAt) }
        let due = reachability.checkAt
        let earlier = at(due.nanoseconds / 1_000_000_000 - 100)
        reachability.hastened(to: earlier)
        #expect(reachability.checkAt == earlier)
        reachability.hastened(to: due)
        #expect(reachability.checkAt == earlier)
    }
}
