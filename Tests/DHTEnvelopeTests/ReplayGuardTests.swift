import DHTCore
import Testing

@testable import DHTEnvelope

/// `docs/protocol.md`, section 5, rules 1 to 3. The receiver starts at 1000.
@Suite struct ReplayGuardTests {
    private var replay = ReplayGuard(start: 1000)

    /// Judges, and commits what is not dropped, as the gate does.
    private mutating func take(_ counter: UInt64, epoch: UInt64? = nil, now: Instant = at(0))
        -> ReplayGuard.Judgement
    {
        if replay.hasSeen(counter) { return .dropped(.replay) }
        let judgement = replay.judge(counter, liveEpoch: epoch, at: now)
        if case .dropped = judgement { return judgement }
        replay.commit(counter, liveEpoch: epoch, currentEpoch: TokenMint.epoch(at: now), at: now)
        return judgement
    }

    @Test mutating func `a tokenless counter above the highest is answered each time`() {
        #expect(take(1001) == .tokenless)
        #expect(take(1002) == .tokenless)
        #expect(take(5000) == .tokenless)
    }

    @Test mutating func `the highest itself is a replay`() {
        #expect(take(1001) == .tokenless)
        #expect(take(1001) == .dropped(.replay))
    }

    @Test mutating func `the highest begins as the receiver's own start`() {
        #expect(take(1000) == .dropped(.replay))
        #expect(take(999) == .old)
        #expect(take(998) == .dropped(.stale))
        #expect(take(1001) == .tokenless)
    }

    @Test mutating func `an old tokenless request is answered once in 30 seconds`() {
        #expect(take(10, now: at(0)) == .old)
        #expect(take(11, now: at(29)) == .dropped(.stale))
        #expect(take(10, now: at(29)) == .dropped(.stale))
        #expect(take(11, now: at(30)) == .old)
        #expect(take(12, now: at(59)) == .dropped(.stale))
        #expect(take(12, now: at(60)) == .old)
    }

    @Test mutating func `what was dropped as stale does not put the next answer off`() {
        #expect(take(10, now: at(0)) == .old)
        #expect(take(11, now: at(29)) == .dropped(.stale))
        #expect(take(11, now: at(31)) == .old)
    }

    @Test mutating func `a live counter is taken once`() {
        #expect(take(1005, epoch: 0) == .live)
        #expect(take(1005, epoch: 0) == .dropped(.replay))
        #expect(take(1004, epoch: 0) == .live)
        #expect(take(1004, epoch: 0) == .dropped(.replay))
    }

    @Test mutating func `a live counter may lie below the receiver's start`() {
        #expect(take(7, epoch: 0) == .live)
        #expect(take(8, epoch: 0) == .live)
        #expect(take(7, epoch: 0) == .dropped(.replay))
    }

    @Test mutating func `a live counter 1024 below the top of its epoch is dropped`() {
        #expect(take(5000, epoch: 0) == .live)
        #expect(take(5000 - 1023, epoch: 0) == .live)
        #expect(take(5000 - 1024, epoch: 0) == .dropped(.replay))
    }

    @Test mutating func `each epoch has a window of its own`() {
        #expect(take(50_000, epoch: 0) == .live)
        #expect(take(2000, epoch: 1, now: at(300)) == .live)
        #expect(take(49_999, epoch: 0, now: at(301)) == .live)
        #expect(take(2000, epoch: 1, now: at(302)) == .dropped(.replay))
        #expect(take(50_000, epoch: 0, now: at(302)) == .dropped(.replay))
    }

    @Test mutating func `a counter seen in one epoch is a replay in the other and without a token`() {
        #expect(take(2000, epoch: 0) == .live)
        #expect(take(2001, epoch: 0) == .live)
        #expect(take(2000, epoch: 1, now: at(300)) == .dropped(.replay))
        #expect(take(2000, now: at(300)) == .dropped(.replay))
    }

    @Test mutating func `a live counter raises the highest`() {
        #expect(take(9000, epoch: 0) == .live)
        #expect(take(8999) == .old)
        #expect(take(8998) == .dropped(.stale))
        #expect(take(9001) == .tokenless)
    }

    @Test mutating func `an old counter does not lower the highest`() {
        #expect(take(9000) == .tokenless)
        #expect(take(500) == .old)
        #expect(take(9000) == .dropped(.replay))
        #expect(take(8999, now: at(1)) == .dropped(.stale))
    }

    @Test mutating func `the windows of lapsed epochs are let go`() {
        #expect(take(2000, epoch: 0) == .live)
        #expect(take(2001, epoch: 2, now: at(600)) == .live)
        // Nobody can have a good token of epoch 0 any more: without one it is old.
        #expect(take(2000, now: at(601)) == .old)
        #expect(take(2000, now: at(602)) == .dropped(.stale))
    }

    @Test mutating func `a tokenless counter, however high, does not make live ones too old`() {
        // The sender's clock was set back: somebody replays what it said before, epoch after epoch.
        for epoch in 0...5 as ClosedRange<UInt64> {
            #expect(take(9_000_000 + epoch * 2000, now: at(epoch * 300)) == .tokenless)
            #expect(take(8_000_000 + epoch, now: at(epoch * 300)) == .old)
            #expect(take(6000 + epoch, epoch: epoch, now: at(epoch * 300)) == .live)
        }
    }

    @Test mutating func `asking changes nothing`() {
        for _ in 0..<3 {
            #expect(!replay.hasSeen(1001))
            #expect(replay.judge(1001, liveEpoch: nil, at: at(0)) == .tokenless)
            #expect(replay.judge(999, liveEpoch: nil, at: at(0)) == .old)
            #expect(replay.judge(1001, liveEpoch: 0, at: at(0)) == .live)
        }
    }

    @Test
    func `over thousands of random requests no counter is live twice and old ones are 30 seconds apart`() {
        var generator = SplitMix64(seed: 4)
        var replay = ReplayGuard(start: 1000)
        var live: Set<UInt64> = []
        // A counter goes with one datagram, and so with one token or none.
        var epochs: [UInt64: UInt64] = [:]
        var lastOld: Instant?
        var highest: UInt64 = 1000
        for step in 0..<6000 {
            let now = at(milliseconds: UInt64(step) * 170)
            let counter = UInt64(generator.number(0...400)) + UInt64(step) / 3 + 700
            let current = TokenMint.epoch(at: now)
            if epochs[counter] == nil { epochs[counter] = generator.next() % 2 == 0 ? .max : current }
            let epoch = epochs[counter].flatMap { $0 == current || $0 &+ 1 == current ? $0 : nil }
            guard !replay.hasSeen(counter) else { continue }
            let judgement = replay.judge(counter, liveEpoch: epoch, at: now)
            switch judgement {
            case .live: #expect(epoch != nil && live.insert(counter).inserted)
            case .tokenless: #expect(counter > highest && epoch == nil)
            case .old:
                #expect(counter < highest && epoch == nil)
                if let lastOld { #expect(now.since(lastOld) >= .seconds(30)) }
                lastOld = now
            case .dropped: continue
            }
            replay.commit(counter, liveEpoch: epoch, currentEpoch: current, at: now)
            highest = max(highest, counter)
        }
        #expect(live.count > 500)
        #expect(lastOld != nil)
    }
}
