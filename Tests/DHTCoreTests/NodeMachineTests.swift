import Testing

@testable import DHTCore

/// Calls, puts and requests to the store, each machine by itself.
struct NodeMachineTests {
    // MARK: Calls

    @Test func `a peer is late from when its answer is overdue until it says anything`() {
        var calls = OutstandingCalls()
        let names = (1...2).map { CallID.core($0) }
        for name in names { calls.begin(name, .at(2), .upkeep) }
        #expect(calls.delay(names[0])?.contact == .at(2))
        #expect(calls.isLate(.numbered(2)) == true)
        calls.extend(names[0])
        #expect(!calls.isLate(.numbered(2)))
        _ = calls.delay(names[1])
        #expect(calls.end(names[1])?.purpose == .upkeep)
        #expect(calls.isLate(.numbered(2)) == false)
        #expect(calls.end(names[1]) == nil)
        #expect(calls.delay(names[1]) == nil)
        #expect(!calls.isEmpty)
        #expect(calls.counters.requests == 2)
        #expect(calls.counters.overdue == 2)
    }

    // MARK: Requests to the store

    private let record = Record.sample(at: 1)
    private let first = Ticket.core(1)
    private let second = Ticket.core(2)

    private func located(_ record: Record) -> Catalog.Located {
        var catalog = Catalog(quota: .init())
        catalog.enter(record)
        return catalog.slice(after: nil)[0]
    }

    @Test func `what the store was to have and does not bring is lost`() {
        var requests = StoreRequests()
        requests.beginRead(.tellConflict(OperationID.user(1)), as: first, expecting: [located(record)])
        let ended = requests.endRead(first, found: [])
        #expect(ended?.lost.map(\.id) == [record.id])
        #expect(requests.endRead(first, found: []) == nil)
        #expect(requests.isEmpty == true)
    }

    @Test func `what the store brings, could not read, or has not got yet is not lost`() {
        var requests = StoreRequests()
        let request = StoreRequest.tellConflict(OperationID.user(1))
        requests.beginRead(request, as: first, expecting: [located(record)])
        #expect(requests.endRead(first, found: [record.digest])?.lost.isEmpty == true)
        requests.beginRead(request, as: first, expecting: [located(record)])
        #expect(requests.endRead(first, found: nil)?.lost.isEmpty == true)
        requests.beginRead(request, as: first, expecting: [located(record)])
        requests.beginWrite(record, displacing: nil, [], for: nil, as: second)
        #expect(requests.endRead(first, found: [])?.lost.isEmpty == true)
        requests.beginRead(request, as: first, expecting: [located(record)])
        _ = requests.endWrite(second)
        #expect(requests.endRead(first, found: [])?.lost.isEmpty == true)
    }

    @Test func `all who asked for a record meanwhile wait for the same write`() {
        var requests = StoreRequests()
        let waiters = (1...2).map { WriteWaiter.inbound(RequestID(rawValue: $0)) }
        #expect(requests.join(record, waiters[0]) == false)
        requests.beginWrite(record, displacing: nil, [], for: waiters[0], as: first)
        #expect(requests.join(record, waiters[1]) == true)
        #expect(requests[first]?.isWrite == true)
        #expect(requests.endWrite(first)?.waiters == waiters)
        #expect(requests.join(record, waiters[0]) == false)
    }

    @Test func `a write that failed leaves the later one above what stood before both`() {
        var requests = StoreRequests()
        let records = (1...3).map { Record.sample(at: 1, revision: $0) }
        let entries = records.map { located($0).entry }
        requests.beginWrite(records[1], displacing: entries[0], [], for: nil, as: first)
        requests.beginWrite(records[2], displacing: entries[1], [], for: nil, as: second)
        _ = requests.endWrite(first)
        requests.withdraw(records[1], standing: entries[0])
        #expect(requests[second] == .keep(records[2], displaced: entries[0], evicted: []))
    }

    // MARK: Puts

    private func put(_ record: Record) -> PutOperation {
        PutOperation(
            record: record,
            condition: nil,
            own: NodeID(firstByte: 0xFF),
            identity: .numbered(0xFF),
            width: 3
        )
    }

    @Test func `a put under the same name of another record is another attempt`() {
        var puts = PutTable()
        let name = OperationID.user(1)
        puts.begin(put(record), as: name)
        #expect(puts.isUnderWay(PutAttempt(operation: name, record: record.digest)))
        puts.begin(put(.sample(at: 1, revision: 2)), as: name)
        #expect(!puts.isUnderWay(PutAttempt(operation: name, record: record.digest)))
        #expect(puts.end(name)?.put.record.revision == Record.sample(at: 1, revision: 2).revision)
        #expect(puts.end(name) == nil)
        #expect(puts.isEmpty == true)
    }

    @Test func `those who ask that a record be passed on share one put`() {
        var puts = PutTable()
        let (name, clients) = (OperationID.user(1), (1...2).map { RequestID(rawValue: $0) })
        #expect(puts.joinRelay(of: record.digest, clients[0]) == false)
        puts.begin(put(record), as: name)
        puts.relay(record.digest, as: name, for: clients[0])
        #expect(puts.joinRelay(of: record.digest, clients[1]) == true)
        #expect(puts.relayCount == 1)
        #expect(puts.end(name)?.relay?.clients == clients)
        #expect(puts.relayCount == 0)
    }

    @Test func `only puts with copies enough are handed out, once the first of them is over`() {
        var puts = PutTable()
        let names = (1...2).map { OperationID.user($0) }
        for name in names { puts.begin(put(record), as: name) }
        _ = puts[names[1]]?.begin([.at(1), .at(2), .at(3)])
        puts[names[1]]?.notice(at(0))
        for place in 1...2 as ClosedRange<UInt64> { _ = puts[names[1]]?.answered(.numbered(place), .stored) }
        puts[names[1]]?.notice(at(1))
        let end = puts[names[1]]?.deadline ?? at(0)
        puts.awaitEnd(at: end)
        #expect(puts.nextEnd == end)
        #expect(puts.takeDue(at: at(0)).isEmpty == true)
        #expect(puts.takeDue(at: end) == [names[1]])
        #expect(puts.takeDue(at: end).isEmpty)
    }
}
