import Testing

@testable import DHTCore

/// How a node notices that one of those closest to it is gone: transcripts in an 8-bit key space.
struct NeighbourWatchTests {
    private var transcript: Transcript
    /// The eight closest to the node, nearest first.
    private static let neighbours: [UInt8] = [3, 2, 5, 4, 7, 6, 9, 8]
    private static let far: UInt8 = 0x80

    init() {
        let own = Contact.at(1)
        var table = RoutingTable(own: own.id)
        for place in Self.neighbours + [Self.far] { _ = table.answered(.at(place), at: at(0)) }
        transcript = Transcript(
            KademliaNode(identity: own.identity, id: own.id, table: table, generator: SplitMix64(seed: 1))
        )
    }

    private mutating func search(for place: UInt8, by peer: UInt8, at seconds: UInt64, isLive: Bool = true) {
        transcript.on(at: now(seconds)) { node, turn in
            node.handleRequest(
                RequestID(rawValue: seconds),
                by: .at(peer),
                .findNode(target: Contact.at(place).id),
                isLive: isLive,
                in: &turn
            )
        }
    }

    /// Lets time pass, while nobody answers; the times at which somebody was asked who is closest to us, and
    /// the places of those who were.
    private mutating func watched(from start: UInt64, through end: UInt64) -> [(second: UInt64, place: UInt8)]
    {
        var asked: [(UInt64, UInt8)] = []
        for second in start...end {
            transcript.on(at: now(second)) { node, turn in node.advance(in: &turn) }
            let own = transcript.node.id
            for request in transcript.requests where request.request == .findNode(target: own) {
                asked.append((second, [request.contact].places[0]))
            }
        }
        return asked
    }

    // MARK: Turns

    @Test func `a neighbour is asked about every 24 seconds`() {
        var watch = NeighbourWatch()
        var generator = SplitMix64(seed: 7)
        var asked: [UInt64] = []
        for second in 0...2400 as ClosedRange<UInt64> where watch.take(at: at(second), using: &generator) {
            asked.append(second)
        }
        #expect((95...105).contains(asked.count), "\(asked.count)")
        #expect(asked.first.map { $0 <= 12 } ?? false)
        #expect(zip(asked, asked.dropFirst()).allSatisfy { (17...31).contains($1 - $0) })
    }

    @Test mutating func `the neighbour that was quiet for longest is asked, and none that was heard of`() {
        for place in Self.neighbours.dropLast(2) {
            transcript.on { node, _ in _ = node.table.answered(.at(place), at: at(60)) }
        }
        transcript.on { node, _ in _ = node.table.answered(.at(9), at: at(30)) }
        #expect(watched(from: 61, through: 78).map(\.place) == [8])
        for place in Self.neighbours {
            transcript.on { node, _ in _ = node.table.answered(.at(place), at: at(90)) }
        }
        #expect(watched(from: 91, through: 113).isEmpty)
    }

    // MARK: Doubts

    @Test mutating func `a contact that somebody else looks for is asked whether it is there, once`() {
        search(for: 5, by: 2, at: 60)
        #expect(transcript.requests.map(\.request) == [.ping(isLeaving: false)])
        #expect(transcript.asked == [5])
        search(for: 5, by: 3, at: 61)
        #expect(transcript.asked.isEmpty)
        search(for: Self.far, by: 3, at: 61)
        #expect(transcript.asked == [Self.far])
    }

    @Test mutating func `a contact is not asked for its own search, nor for one that is not live`() {
        search(for: 5, by: 5, at: 60)
        #expect(transcript.asked.isEmpty)
        search(for: 5, by: 2, at: 60, isLive: false)
        #expect(transcript.asked.isEmpty)
        search(for: 77, by: 2, at: 60)
        #expect(transcript.asked.isEmpty)
    }

    @Test mutating func `a contact that was heard of just now is not asked`() {
        transcript.on { node, _ in _ = node.table.answered(.at(5), at: at(60)) }
        search(for: 5, by: 2, at: 60)
        #expect(transcript.asked.isEmpty)
        search(for: 5, by: 2, at: 61)
        #expect(transcript.asked == [5])
    }

    @Test mutating func `a neighbour that another one does not name is asked whether it is there`() throws {
        // Only 8 was quiet for long, so it is asked first.
        for place in Self.neighbours.dropLast() {
            transcript.on { node, _ in _ = node.table.answered(.at(place), at: at(5)) }
        }
        var call: CallID?
        for second in 24...50 as ClosedRange<UInt64> where call == nil {
            transcript.on(at: now(second)) { node, turn in node.advance(in: &turn) }
            call = transcript.requests.map(\.call).first { transcript.node.calls[$0]?.purpose == .watch }
        }
        #expect(call.flatMap { transcript.node.calls[$0]?.contact } == .at(8))
        let named = [3, 2, 4, 7, 6, 9, 10, 11].map { Contact.at($0) }
        let watch = try #require(call)
        transcript.on(at: now(60)) { node, turn in node.answered(watch, .nodes(named), in: &turn) }
        let pinged = transcript.requests.filter { $0.request == .ping(isLeaving: false) }.map(\.contact)
        #expect(pinged.places.contains(5))
        #expect(!pinged.places.contains { [2, 3, 4, 6, 7, 9].contains($0) })
    }
}
