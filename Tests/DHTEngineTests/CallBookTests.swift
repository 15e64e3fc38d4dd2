import DHTCore
import Testing

@testable import DHTEngine

struct CallBookTests {
    private var book = CallBook()
    private let live = CallBook.PeerStatus(hasProved: true, isExpectedLive: true, answered: nil)
    private let unproved = CallBook.PeerStatus(hasProved: false, isExpectedLive: true, answered: nil)
    private let unknown = CallBook.PeerStatus(hasProved: true, isExpectedLive: false, answered: nil)

    private func at(_ milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: 0) + .seconds(100) + .milliseconds(milliseconds)
    }

    private func call(_ number: UInt64, to peer: UInt8 = 1, needsPingFirst: Bool = false) -> OutgoingCall {
        guard let identity = Identity([UInt8](repeating: peer, count: 32)) else {
            preconditionFailure("32 bytes are 32 bytes")
        }
        return OutgoingCall(
            id: CallID.core(number),
            contact: Contact(
                identity: identity,
                id: NodeID(firstByte: peer),
                endpoint: Endpoint(ipv4: 0x0A00_0001, port: UInt16(peer))
            ),
            request: .findNode(target: NodeID(firstByte: 9)),
            isConfigured: false,
            transaction: 100 + number,
            needsPingFirst: needsPingFirst,
            firstSent: at(0)
        )
    }

    private mutating func answered(
        _ transaction: UInt64,
        isRetry: Bool = false,
        at milliseconds: UInt64
    ) throws -> CallBook.Answer {
        // To the last transmission.
        let id = book.ids { $0.transaction == transaction }.first
        let answer = book.answered(
            transaction,
            sent: id.flatMap { book[$0]?.lastSent } ?? at(0),
            isRetry: isRetry,
            at: at(milliseconds)
        )
        return try #require(answer)
    }

    private mutating func nextDue(at instant: Instant) throws -> CallBook.DueCall {
        let due = book.popDue(at: instant)
        return try #require(due)
    }

    private mutating func transmission(
        _ call: OutgoingCall,
        to peer: CallBook.PeerStatus,
        at milliseconds: UInt64 = 0
    ) -> CallBook.Transmission? {
        book.send(call, to: peer, at: at(milliseconds))
    }

    /// What becomes of the calls that are due, each by its number.
    private mutating func due(at milliseconds: UInt64) -> [(CallID, CallBook.DueCall.Step)] {
        var due: [(CallID, CallBook.DueCall.Step)] = []
        while let next = book.popDue(at: at(milliseconds)) { due.append((next.call.id, next.step)) }
        return due
    }

    @Test mutating func `a call nobody answers is late once, sent three times, and given up`() throws {
        #expect(book.send(call(1), to: live, at: at(0))?.isRepeated == false)
        var (steps, late) = ([CallBook.DueCall.Step](), 0)
        while let deadline = book.nextDeadline {
            let due = try nextDue(at: deadline)
            steps.append(due.step)
            if due.isNewlyOverdue { late += 1 }
            if due.step == .repeated {
                #expect(book.send(due.call, to: live, at: deadline)?.isRepeated == true)
            }
        }
        #expect(steps.filter { $0 == .repeated }.count == OutgoingCall.transmissionLimit - 1)
        #expect(steps.last == .givenUp)
        #expect(late == 1)
        #expect(book.count == 0)
    }

    @Test mutating func `the first call to a peer that does not know us goes ahead of others`() throws {
        #expect(book.send(call(1), to: unknown, at: at(0)) != nil)
        #expect(book.send(call(2), to: unknown, at: at(0)) == nil)
        #expect(book.send(call(3, to: 2), to: unknown, at: at(0)) != nil)
        let answer = try answered(101, at: 10)
        #expect(answer.held == [CallID.core(2)])
        #expect(book.release(CallID.core(2), to: live, at: at(10))?.isRepeated == false)
        #expect(book.release(CallID.core(2), to: live, at: at(10)) == nil, "it is on its way")
    }

    @Test mutating func `an answer to a ping that went ahead is followed by the request`() throws {
        let sent = transmission(call(1, needsPingFirst: true), to: live)
        #expect(sent?.request == .ping(isLeaving: false))
        let answer = try answered(101, at: 10)
        #expect(answer.isPreliminary)
        let next = book.restart(answer.call, transaction: 500, to: live, at: at(10))
        #expect(next?.request == .findNode(target: NodeID(firstByte: 9)))
        let late = book.answered(101, sent: at(0), isRetry: false, at: at(11))
        #expect(late == nil)
        let second = try answered(500, at: 20)
        #expect(!second.isPreliminary)
    }

    @Test mutating func `a peer that says retry over and over is taken at its word twice`() throws {
        _ = book.send(call(1), to: live, at: at(0))
        var transaction: UInt64 = 101
        for _ in 0..<OutgoingCall.retryLimit {
            let answer = try answered(transaction, isRetry: true, at: 1)
            #expect(answer.isPreliminary)
            transaction += 1000
            _ = book.restart(answer.call, transaction: transaction, to: live, at: at(1))
        }
        let last = try answered(transaction, isRetry: true, at: 1)
        #expect(!last.isPreliminary)
    }

    @Test mutating func `an address that never answered gets two datagrams, until it is heard from`() {
        for number: UInt64 in 1...3 {
            let sent = transmission(call(number), to: unproved, at: number)
            #expect(sent?.isAllowed == (number < 3))
        }
        book.heard(from: call(1).contact.endpoint)
        let sent = transmission(call(4), to: unproved, at: 4)
        #expect(sent?.isAllowed == true)
    }

    @Test mutating func `a call that waits for content is asked anew after its pause`() throws {
        _ = book.send(call(1), to: live, at: at(0))
        let answer = try answered(101, at: 10)
        book.pause(answer.call, held: 7, transaction: 500, at: at(10))
        #expect(due(at: 109).isEmpty)
        let due = try nextDue(at: at(110))
        #expect(due.step == .askAgain && !due.isNewlyOverdue)
        #expect(due.call.transmissions == 0 && due.call.wanted?.held == 7)
    }

    @Test mutating func `a peer that answers fast is late soon`() throws {
        for number: UInt64 in 1...8 {
            _ = book.send(call(number), to: live, at: at(number * 1000))
            _ = try answered(100 + number, at: number * 1000 + 4)
            book.remove(CallID.core(number))
        }
        let roundTrip = try #require(book.roundTrips.smoothed(to: call(1).contact.identity))
        #expect(roundTrip == .milliseconds(4))
        _ = book.send(call(9), to: live, at: at(20_000))
        let deadline = book.nextDeadline
        #expect(try #require(deadline) < at(20_050))
    }

    @Test mutating func `an answer counts from the transmission it is to, whichever that is`() throws {
        _ = book.send(call(1), to: live, at: at(0))
        let overdue = try nextDue(at: at(500))
        #expect(overdue.step == .repeated)
        _ = book.send(overdue.call, to: live, at: at(500))
        let late = book.answered(101, sent: at(0), isRetry: false, at: at(504))
        #expect(late != nil)
        #expect(book.roundTrips.smoothed(to: call(1).contact.identity) == .milliseconds(504))
        book.remove(CallID.core(1))

        _ = book.send(call(2, to: 2), to: live, at: at(1000))
        let deadline = book.nextDeadline
        let again = try nextDue(at: try #require(deadline))
        if again.step == .repeated { _ = book.send(again.call, to: live, at: at(3000)) }
        let prompt = book.answered(102, sent: at(3000), isRetry: false, at: at(3004))
        #expect(prompt != nil)
        #expect(book.roundTrips.smoothed(to: call(2, to: 2).contact.identity) == .milliseconds(4))
    }

    @Test mutating func `where all have become slow, nobody is sent a request again as soon as before`()
        throws
    {
        for peer: UInt8 in 1...8 {
            _ = book.send(call(UInt64(peer), to: peer), to: live, at: at(0))
            _ = try answered(100 + UInt64(peer), at: 1)
            book.remove(CallID.core(UInt64(peer)))
        }
        func timeout() -> Interval {
            let (request, peer) = (call(9, to: 8).request, call(9, to: 8).contact.identity)
            return book.roundTrips.waits(for: request, to: peer, transmission: 0).timeout
        }
        #expect(timeout() == RoundTripEstimator.timeouts.lowerBound)
        for peer: UInt8 in 1...7 {
            _ = book.send(call(UInt64(peer), to: peer), to: live, at: at(1000))
            _ = try answered(100 + UInt64(peer), at: 1200)
            book.remove(CallID.core(UInt64(peer)))
        }
        #expect(timeout() > .milliseconds(200), "the eighth was not asked since")
        for round: UInt64 in 1...40 {
            _ = book.send(call(1, to: 1), to: live, at: at(round * 100_000))
            _ = try answered(101, at: round * 100_000 + 60_000)
            book.remove(CallID.core(1))
        }
        #expect(timeout() == RoundTripEstimator.firstTimeout, "one that takes a minute is one of many")
    }
}
