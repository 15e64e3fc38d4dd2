import DHTCore
import DHTEnvelope
import Synchronization
import Testing

@testable import DHTEngine

/// Long values that are read as their users take them.
struct StreamedReadingTests {
    /// Nine hosts, a long value at eight of them, and the ninth, which knows its record.
    private struct Scene {
        let overlay = Overlay(9)
        let holders: [Int]
        let reader: Int
        let record: Record
        let contacts: [Contact]

        init(_ value: [UInt8]) throws {
            let overlay = overlay
            overlay.startAll()
            overlay.putLong("long", value, at: 0)
            let holders = overlay.holders(of: "long")
            let reader = try #require((0..<9).first { !holders.contains($0) })
            (self.holders, self.reader) = (holders, reader)
            record = try #require(overlay.look("long", at: reader)?.found.first?.record)
            contacts = holders.map { overlay[$0].contact }
        }

        func begin(at index: Int) -> OperationID {
            overlay.submit(.read(record, from: contacts), at: index)
        }

        /// Asks for the next piece, and lets time pass until it is there, or the reading over.
        func pull(_ name: OperationID, at index: Int) {
            let host = overlay[index]
            let before = host.pieces[name]?.count
            overlay.act(host) { engine, turn in _ = engine.pull(name, in: &turn) }
            overlay.run(until: overlay.clock + .seconds(120)) {
                host.pieces[name]?.count != before || host.outcomes[name] != nil
            }
        }

        func drain(_ name: OperationID, at index: Int) -> [UInt8] {
            for _ in 0..<100 where overlay[index].outcomes[name] == nil { pull(name, at: index) }
            return overlay[index].pieces[name, default: []].flatMap(\.self)
        }

        /// Requests for chunks that are under way.
        func chunkRequests(at index: Int) -> Int {
            overlay[index].engine.calls.ids { if case .findChunk = $0.request { true } else { false } }.count
        }

        /// Bytes of pieces that wait for their users.
        func waiting(at index: Int) -> Int {
            overlay[index].engine.transfers.readings.values.reduce(0) { $0 + ($1.outlet?.count ?? 0) }
        }
    }

    @Test func `peers are asked for no more than the user is about to take`() throws {
        let value = ContentTests.bytes(2_000_000)
        let scene = try Scene(value)
        let name = scene.begin(at: scene.reader)
        scene.overlay.run(for: .seconds(20))
        let host = scene.overlay[scene.reader]
        #expect(scene.waiting(at: scene.reader) == ContentTransfers.partLimit)
        #expect(host.engine.counters.chunksFetched <= UInt64(ContentTransfers.partLimit + 1) * 64)
        #expect(host.engine.transfers.activeReadings == 0)
        #expect(host.pieces[name] == nil)
        for count in 1...3 {
            scene.pull(name, at: scene.reader)
            #expect(host.pieces[name]?.count == count)
        }
        #expect(scene.drain(name, at: scene.reader) == value)
        #expect(host.pieces[name]?.count == 32)
        guard case .fetched([])? = host.outcomes[name] else {
            Issue.record("the reading did not end well")
            return
        }
        #expect(host.engine.transfers.readings.isEmpty)
    }

    @Test func `our own store is read a piece at a time`() throws {
        let value = ContentTests.bytes(1_000_000)
        let scene = try Scene(value)
        let index = scene.holders[0]
        let name = scene.begin(at: index)
        scene.overlay.run(for: .seconds(5))
        #expect(scene.overlay[index].pieces[name] == nil)
        scene.pull(name, at: index)
        #expect(scene.overlay[index].pieces[name]?.count == 1)
        #expect(scene.waiting(at: index) == 0)
        #expect(scene.drain(name, at: index) == value)
        #expect(scene.overlay[index].engine.counters.chunksFetched == 0)
    }

    @Test func `users who take nothing hold up nobody, and all of them little`() throws {
        let value = ContentTests.bytes(1_200_000)
        let scene = try Scene(value)
        let names = (0..<8).map { _ in scene.begin(at: scene.reader) }
        scene.overlay.run(for: .minutes(1))
        #expect(scene.waiting(at: scene.reader) <= ContentTransfers.partLimit * 8)
        #expect(scene.overlay[scene.reader].engine.transfers.waiting.isEmpty)
        let other = scene.begin(at: scene.reader)
        #expect(scene.drain(other, at: scene.reader) == value)
        let whole = scene.overlay.submit(.fetch(scene.record, from: scene.contacts), at: scene.reader)
        guard case .fetched(let bytes?)? = scene.overlay.finish(whole, at: scene.reader) else {
            Issue.record("the value was not read as a whole")
            return
        }
        #expect(bytes == value)
        // And they go on when they do.
        #expect(scene.drain(names[3], at: scene.reader) == value)
    }

    @Test func `the more there are the less each may have ahead`() throws {
        var transfers = ContentTransfers()
        let scene = try Scene(ContentTests.bytes(1000))
        let reference = try #require(scene.record.reference)
        for (count, window) in [(1, 16), (16, 16), (32, 8), (300, 1)] {
            transfers.readings = [:]
            for name in 0..<UInt64(count) {
                transfers.readings[OperationID.user(name)] = .init(
                    record: scene.record,
                    contacts: [],
                    fetch: ContentFetch(reference),
                    outlet: ReadingOutlet(),
                    isLocal: false
                )
            }
            #expect(transfers.streamWindow == window)
        }
    }

    @Test func `many who read at once all end`() throws {
        let value = ContentTests.bytes(300_000)
        let scene = try Scene(value)
        let names = (0..<8).map { _ in scene.begin(at: scene.reader) }
        let host = scene.overlay[scene.reader]
        while names.contains(where: { host.outcomes[$0] == nil }) {
            for name in names where host.outcomes[name] == nil { scene.pull(name, at: scene.reader) }
        }
        for name in names { #expect(host.pieces[name, default: []].flatMap(\.self) == value) }
        #expect(host.engine.transfers.readings.isEmpty && host.engine.transfers.waiting.isEmpty)
    }

    @Test func `a reading that finds nobody says so, and a cancelled one leaves nothing`() throws {
        let value = ContentTests.bytes(250_000)
        let content = try #require(Content(value))
        let scene = try Scene(value)
        let host = scene.overlay[scene.reader]
        let cancelled = scene.begin(at: scene.reader)
        scene.overlay.run(for: .milliseconds(50))
        #expect(scene.chunkRequests(at: scene.reader) > 0)
        scene.overlay.act(host) { engine, turn in engine.cancel(cancelled, in: &turn) }
        #expect(scene.chunkRequests(at: scene.reader) == 0)
        #expect(host.engine.transfers.readings.isEmpty)
        // All have all but one piece.
        for holder in scene.holders {
            scene.overlay.corrupt(holder) { request, _ in
                guard case .findChunk(_, let part, let chunk) = request else { return nil }
                let bytes =
                    switch part {
                    case .outline: content.outline
                    case .piece(let index): content.piece(index) ?? []
                    }
                return part == .piece(2)
                    ? .absent : .chunk(Array(bytes.dropFirst(Int(chunk) * 1000).prefix(1000)))
            }
        }
        let name = scene.begin(at: scene.reader)
        let read = scene.drain(name, at: scene.reader)
        #expect(read.count <= 2 * 64_000 && value.starts(with: read))
        guard case .fetched(nil)? = host.outcomes[name] else {
            Issue.record("the reading did not end with nothing")
            return
        }
        #expect(scene.chunkRequests(at: scene.reader) == 0)
    }

    @Test func `a long value of a user goes to the store little by little`() throws {
        let overlay = Overlay(1)
        overlay.startAll()
        let value = WatchedBytes(ContentTests.bytes(16_000_000))
        let content = try #require(Content(value))
        value.mostRead = 0
        var stored: [EngineAction] = []
        let name = OperationID.user(77)
        overlay.act(overlay[0]) { engine, turn in
            let put = Operation.Put(key: [1], content: content, lifetime: 3600)
            engine.submit(.put(put), as: name, in: &turn)
            swap(&stored, &turn.actions)
        }
        let pieces = stored.count { if case .importPiece = $0 { true } else { false } }
        #expect(pieces == ContentTransfers.partLimit)
        // The engine itself has none of the bytes.
        #expect(value.mostRead == 0)
        // The store is done with each at once.
        overlay.act(overlay[0]) { _, turn in turn.actions = stored }
        #expect(overlay.finish(name, at: 0) != nil)
        #expect(value.mostRead == ContentLayout.pieceLength)
        #expect(overlay.getLong("\u{1}", at: 0) == value.all)
    }
}

/// Bytes of a value, and how many of them were read at once at most.
private final class WatchedBytes: ContentBytes {
    let all: [UInt8]
    private let most = Mutex(0)

    init(_ all: [UInt8]) { self.all = all }

    var count: Int { all.count }
    var mostRead: Int {
        get { most.withLock { $0 } }
        set { most.withLock { $0 = newValue } }
    }

    func bytes(in range: Range<Int>) -> [UInt8]? {
        most.withLock { $0 = max($0, range.count) }
        return all.bytes(in: range)
    }
}
