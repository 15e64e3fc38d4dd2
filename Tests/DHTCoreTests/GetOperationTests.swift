import Testing

@testable import DHTCore

struct GetOperationTests {
    private func get(isExhaustive: Bool = false) -> GetOperation {
        GetOperation(location: NodeID(firstByte: 1), author: nil, replicas: 3, isExhaustive: isExhaustive)
    }

    private func id(_ number: UInt64) -> Identity { .numbered(number) }

    @Test func `the newest of each author is found, newest first, with its copies`() {
        var get = get()
        let old = Record.sample(by: 1, revision: 1)
        let new = Record.sample(by: 1, revision: 2)
        let other = Record.sample(by: 2, revision: 1)
        get.take([old, other], from: id(10), unixMilliseconds: 0)
        get.take([new], from: id(11), unixMilliseconds: 0)
        get.take([new, other], from: id(12), unixMilliseconds: 0)
        get.take([old], from: id(13), unixMilliseconds: 0)
        #expect(get.found == [.init(record: new, copies: 2), .init(record: other, copies: 2)])
    }

    @Test func `one node's copy told twice is one copy`() {
        var get = get()
        for _ in 0..<2 { get.take([.sample()], from: id(10), unixMilliseconds: 0) }
        #expect(get.found.map(\.copies) == [1])
    }

    @Test func `an expired record is not found`() {
        var get = get()
        get.take([.sample(revision: 1, lifetime: 10)], from: id(10), unixMilliseconds: 11_000)
        #expect(get.found.isEmpty)
    }

    @Test func `of two records of one revision every reader prefers the same`() {
        let records = [Record.sample(value: [1]), .sample(value: [2])].sorted { $0.digest < $1.digest }
        for order in [records, records.reversed()] {
            var get = get()
            for record in order { get.take([record], from: id(10), unixMilliseconds: 0) }
            #expect(get.found.map(\.record) == [records[1]])
        }
    }

    @Test func `of two authors' records of one revision the larger author's comes first`() {
        var get = get()
        get.take([.sample(by: 1), .sample(by: 2)], from: id(10), unixMilliseconds: 0)
        #expect(get.found.map(\.record.author) == [id(2), id(1)])
    }

    @Test func `those who answered without the newest record are to be repaired`() {
        var get = get()
        let new = Record.sample(by: 1, revision: 2)
        #expect(get.repairs(among: [.at(10)]).isEmpty)
        get.take([.sample(by: 1, revision: 1)], from: id(10), unixMilliseconds: 0)
        get.take([new], from: id(11), unixMilliseconds: 0)
        let repairs = get.repairs(among: [.at(10), .at(11), .at(12)])
        #expect(repairs.map(\.0) == [new, new])
        #expect(repairs.map(\.1).places == [10, 12])
    }

    @Test func `where all authors' records are wanted all are repaired`() {
        var get = get(isExhaustive: true)
        let (one, other) = (Record.sample(by: 1), Record.sample(by: 2))
        get.take([one], from: id(10), unixMilliseconds: 0)
        get.take([other], from: id(11), unixMilliseconds: 0)
        let repairs = get.repairs(among: [.at(10), .at(11), .at(12)])
        #expect(repairs.map(\.0) == [other, other, one, one])
        #expect(repairs.map(\.1).places == [10, 12, 11, 12])
    }

    // MARK: Pages

    @Test func `one value is enough unless all are wanted`() {
        var brief = get()
        #expect(brief.nextPage(after: [.sample(by: 9)], of: 3, from: id(10)) == nil)
        var exhaustive = get(isExhaustive: true)
        #expect(exhaustive.nextPage(after: [.sample(by: 9)], of: 3, from: id(10)) == 1)
        #expect(exhaustive.nextPage(after: [.sample(by: 8)], of: 3, from: id(10)) == 2)
        #expect(exhaustive.nextPage(after: [.sample(by: 7)], of: 3, from: id(10)) == nil)
    }

    @Test func `tombstones are passed by in search of a value`() {
        var get = get()
        #expect(get.nextPage(after: [.sample(by: 9, kind: .tombstone)], of: 3, from: id(10)) == 1)
        #expect(get.nextPage(after: [.sample(by: 8)], of: 3, from: id(10)) == nil)
    }

    @Test func `what is over by our clock is no value, so the next page is asked for`() {
        var get = get()
        let over = Record.sample(by: 9, revision: 10, lifetime: 5)
        #expect(get.nextPage(after: [over], of: 2, from: id(10), unixMilliseconds: 15_000) == 1)
        #expect(get.nextPage(after: [over], of: 2, from: id(11), unixMilliseconds: 14_999) == nil)
    }

    @Test func `records that were struck out count for the place of the next page`() {
        var get = get(isExhaustive: true)
        #expect(get.nextPage(after: [], struckOut: 2, of: 4, from: id(10)) == 2)
        #expect(!get.isBearing(id(10)))
        #expect(get.nextPage(after: [.sample(by: 9)], struckOut: 0, of: 4, from: id(10)) == 3)
        #expect(get.isBearing(id(10)))
    }

    @Test func `a node that sends nothing but what is struck out is not asked for ever`() {
        var get = get()
        let pages = (1...100).prefix { _ in
            get.nextPage(after: [], struckOut: 1, of: 60_000, from: id(10)) != nil
        }
        #expect(pages.count == 7)
    }

    @Test func `each node's pages are counted apart`() {
        var get = get(isExhaustive: true)
        #expect(get.nextPage(after: [.sample(by: 9), .sample(by: 8)], of: 5, from: id(10)) == 2)
        #expect(get.nextPage(after: [.sample(by: 9)], of: 5, from: id(11)) == 1)
    }

    @Test func `a node that tells the same page over and over is asked no more`() {
        var get = get(isExhaustive: true)
        let pages = (1...100 as ClosedRange<UInt64>).prefix { revision in
            let page = [Record.sample(by: 9, revision: revision)]
            return get.nextPage(after: page, of: 60_000, from: id(10)) != nil
        }
        #expect(pages.count == 8)
    }

    @Test func `when a write moves the records between two pages none is passed over`() {
        var get = get(isExhaustive: true)
        #expect(get.nextPage(after: [.sample(by: 9)], of: 3, from: id(10)) == 1)
        // The last author writes: its record comes first now, and the one we know second.
        #expect(get.nextPage(after: [.sample(by: 9)], of: 3, from: id(10)) == 2)
        #expect(get.nextPage(after: [.sample(by: 8)], of: 3, from: id(10)) == 0)
        #expect(get.nextPage(after: [.sample(by: 7, revision: 2)], of: 3, from: id(10)) == 1)
        #expect(get.nextPage(after: [.sample(by: 9), .sample(by: 8)], of: 3, from: id(10)) == nil)
    }

    @Test func `when a record goes between two pages none is passed over`() {
        var get = get(isExhaustive: true)
        #expect(get.nextPage(after: [.sample(by: 9)], of: 3, from: id(10)) == 1)
        #expect(get.nextPage(after: [.sample(by: 7)], of: 2, from: id(10)) == 0)
        #expect(get.nextPage(after: [.sample(by: 8), .sample(by: 7)], of: 2, from: id(10)) == nil)
    }

    @Test func `a node that is asked anew tells from the first page on`() {
        var get = get(isExhaustive: true)
        #expect(get.nextPage(after: [.sample(by: 9), .sample(by: 8)], of: 4, from: id(10)) == 2)
        get.asks(id(10))
        #expect(get.nextPage(after: [.sample(by: 9)], of: 4, from: id(10)) == 1)
    }

    @Test func `an empty page is the last, and bears nothing`() {
        var get = get(isExhaustive: true)
        #expect(get.nextPage(after: [], of: 5, from: id(10)) == nil)
        #expect(!get.isBearing(id(10)))
        _ = get.nextPage(after: [.sample()], of: 5, from: id(10))
        #expect(get.isBearing(id(10)))
        #expect(get.nextPage(after: [], of: 5, from: id(10)) == nil)
        #expect(get.isBearing(id(10)))
    }
}

extension GetOperation {
    /// By a clock that all revisions of these tests agree with.
    fileprivate var found: [GetOutcome.Found] { found(unixMilliseconds: 0) }

    fileprivate func repairs(among answered: [Contact]) -> [(Record, Contact)] {
        repairs(among: answered, unixMilliseconds: 0)
    }

    /// At a time when nothing has ended.
    fileprivate mutating func nextPage(
        after records: [Record],
        struckOut: Int = 0,
        of total: Int,
        from identity: Identity
    ) -> UInt16? {
        nextPage(after: records, struckOut: struckOut, of: total, from: identity, unixMilliseconds: 0)
    }
}
