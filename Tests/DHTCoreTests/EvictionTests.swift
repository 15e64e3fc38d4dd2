import Testing

@testable import DHTCore

/// What makes room for what, in an 8-bit key space; the node is at 0.
struct EvictionTests {
    private var catalog: Catalog

    init() {
        var quota = Catalog.Quota()
        quota.records = 3
        catalog = Catalog(quota: quota)
        for location in [64, 128, 192] as [UInt8] { _ = offer(.sample(at: location), ours: []) }
    }

    /// Offers a record to a node that is to keep what is at `ours`.
    private mutating func offer(_ record: Record, ours: Set<UInt8>, at seconds: UInt64 = 10)
        -> (decision: Catalog.Decision, evicted: [UInt8])
    {
        let eviction = Catalog.Eviction(own: NodeID(firstByte: 0)) { ours.contains($0.bytes[0]) }
        let offer = catalog.offer(
            record,
            condition: nil,
            unixMilliseconds: seconds * 1000,
            eviction: eviction
        )
        return (offer.decision, offer.evicted.map { $0.location.bytes[0] })
    }

    @Test mutating func `a nearer record takes the place of the farthest`() {
        #expect(offer(.sample(at: 1), ours: []) == (.keep, [192]))
        #expect(catalog.locations.map { $0.bytes[0] } == [1, 64, 128])
        #expect(catalog.evictions == 1)
    }

    @Test mutating func `what is for us to keep stays, and the next farthest goes`() {
        #expect(offer(.sample(at: 1), ours: [192]) == (.keep, [128]))
    }

    @Test mutating func `if all is for us to keep the newcomer is refused`() {
        #expect(offer(.sample(at: 1), ours: [64, 128, 192]) == (.refuse(.quota), []))
        #expect(catalog.count == 3)
        #expect(catalog.evictions == 0)
    }

    @Test mutating func `a record no nearer than what is there is refused`() {
        #expect(offer(.sample(at: 193), ours: []) == (.refuse(.quota), []))
        #expect(offer(.sample(at: 192, by: 2), ours: []) == (.refuse(.quota), []))
        #expect(offer(.sample(at: 191), ours: []) == (.keep, [192]))
    }

    @Test mutating func `a newer record of an author takes its own place`() {
        #expect(offer(.sample(at: 192, revision: 2), ours: [64, 128, 192]) == (.keep, []))
    }

    @Test mutating func `what has ended goes though it were for us to keep`() {
        #expect(offer(.sample(at: 1, revision: 3000), ours: [64, 128, 192], at: 3601) == (.keep, [192]))
    }

    @Test mutating func `bytes make room like records, as many as it takes`() {
        let size = Record.sample().bytes.count
        var quota = Catalog.Quota()
        quota.bytes = 3 * size
        catalog = Catalog(quota: quota)
        for location in [64, 128, 192] as [UInt8] { _ = offer(.sample(at: location), ours: []) }
        let long = Record.sample(at: 1, value: [UInt8](repeating: 0, count: size))
        #expect(offer(long, ours: []) == (.keep, [192, 128]))
        #expect(catalog.byteCount == 3 * size)
        let longer = Record.sample(at: 0, value: [UInt8](repeating: 0, count: 2 * size + 1))
        #expect(offer(longer, ours: []) == (.refuse(.quota), []))
        #expect(catalog.count == 2, "nothing goes for what does not fit all the same")
    }

    @Test mutating func `an author's own quota makes no room`() {
        var quota = Catalog.Quota()
        (quota.records, quota.recordsByAuthor) = (10, 1)
        catalog = Catalog(quota: quota)
        #expect(offer(.sample(at: 192), ours: []) == (.keep, []))
        #expect(offer(.sample(at: 1), ours: []) == (.refuse(.quota), []))
    }

    @Test mutating func `what was thrown out for a record the store failed to keep is there again`() {
        let record = Record.sample(at: 1)
        let eviction = Catalog.Eviction(own: NodeID(firstByte: 0)) { _ in false }
        let offer = catalog.offer(record, condition: nil, unixMilliseconds: 10_000, eviction: eviction)
        catalog.revert(record, to: offer.displaced, evicted: offer.evicted)
        #expect(catalog.locations.map { $0.bytes[0] } == [64, 128, 192])
        #expect(catalog.byteCount == 3 * Record.sample().bytes.count)
    }

    @Test func `a node throws out and keeps in one batch, and takes both back if the store fails`() {
        var settings = KademliaNode.Settings()
        (settings.replicas, settings.quota.records) = (1, 1)
        var transcript = Transcript(.at(0, settings: settings))
        transcript.meet(200)
        let (far, near) = (Record.sample(at: 192, revision: 10), Record.sample(at: 1, revision: 10))
        func store(_ record: Record, _ inbound: UInt64) {
            transcript.on(at: now(10)) { node, turn in
                node.handleRequest(
                    RequestID(rawValue: inbound),
                    by: .at(200),
                    .store(record, condition: nil),
                    isLive: true,
                    in: &turn
                )
            }
        }
        store(far, 1)
        transcript.apply(at: 10)
        store(near, 2)
        let ticket = transcript.tickets[0]
        let changes = [RecordChange.remove(location: far.location, author: far.author), .put(near)]
        #expect(transcript.actions.contains(.apply(ticket, changes)))
        transcript.on(at: now(10)) { node, turn in node.applied(ticket, .failed(.quota), in: &turn) }
        #expect(transcript.replies == [.refused(.quota)])
        #expect(transcript.node.catalog.locations == [far.location])
    }
}
