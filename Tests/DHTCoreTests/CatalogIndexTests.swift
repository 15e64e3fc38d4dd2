import Testing

@testable import DHTCore

/// The sorted runs against the obvious slow twin.
struct CatalogIndexTests {
    private typealias Located = CatalogIndex.Located

    private static func random(using generator: inout SplitMix64, spread: Int = 40) -> Located {
        let record = Record.sample(
            by: .random(in: 0..<3, using: &generator),
            revision: .random(in: 1..<1000, using: &generator)
        )
        var bytes = [UInt8](repeating: 0, count: NodeID.byteCount)
        // Some near each other, some not, so that families of all sizes come up.
        bytes[0] = UInt8.random(in: 0..<4, using: &generator) << 6
        bytes[1] = UInt8.random(in: 0..<UInt8(spread), using: &generator)
        bytes[19] = UInt8.random(in: 0..<UInt8(spread), using: &generator)
        return Located(location: NodeID(bytes) ?? .ascending, entry: .init(record))
    }

    private static func all(_ index: CatalogIndex) -> [Located] {
        var all: [Located] = []
        while case let run = index.run(after: all.last?.id), !run.isEmpty { all += run }
        return all
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `what is entered and taken out at random is what a slow twin holds, in order`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var index = CatalogIndex()
        var twin: [RecordID: Catalog.Entry] = [:]
        for step in 0..<6000 {
            let located = Self.random(using: &generator)
            // Grows at first, then shrinks.
            if generator.oneIn(step < 3000 ? 4 : 2) || (step > 4500 && !twin.isEmpty) {
                let place = twin.keys.min() ?? located.id
                #expect(index.remove(place) == twin.removeValue(forKey: place))
            } else {
                #expect(index.insert(located) == twin.updateValue(located.entry, forKey: located.id))
            }
            #expect(index.count == twin.count)
            #expect(index[located.id] == twin[located.id])
            if step % 500 == 0 {
                #expect(Self.all(index).map(\.id) == twin.keys.sorted())
                let at = twin.keys.filter { $0.location == located.location }.sorted()
                #expect(index.entries(at: located.location) == at.map { twin[$0] })
            }
        }
        #expect(Self.all(index).allSatisfy { twin[$0.id] == $0.entry })
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `the farthest are those that sorting them all puts last`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var index = CatalogIndex()
        for _ in 0..<700 { index.insert(Self.random(using: &generator)) }
        let all = Self.all(index)
        for _ in 0..<100 {
            let own =
                generator.oneIn(2) ? .random(using: &generator) : Self.random(using: &generator).location
            let limit = Int.random(in: 1..<80, using: &generator)
            let distances = all.map { $0.location.distance(to: own) }.sorted(by: >).prefix(limit)
            let found = index.farthest(from: own, limit: limit)
            #expect(found.map { $0.location.distance(to: own) } == Array(distances))
            #expect(Set(found.map(\.id)).count == found.count)
            let near = index.farthest(from: own.opposite, limit: 3).map { $0.location.distance(to: own) }
            #expect(near == Array(all.map { $0.location.distance(to: own) }.sorted().prefix(3)))
        }
    }

    @Test func `a change is made in place, and only where something is`() {
        var index = CatalogIndex()
        let located = Located(location: NodeID(firstByte: 1), entry: .init(.sample()))
        index.change(located.id) { $0.offeredAt = 7 }
        #expect(index.count == 0)
        index.insert(located)
        index.change(located.id) { $0.offeredAt = 7 }
        #expect(index[located.id]?.offeredAt == 7)
    }

    @Test func `a family of ids shares the first bits`() {
        let id = NodeID.ascending
        for depth in [0, 1, 63, 64, 65, 127, 128, 129, 159, 160] {
            let bounds = id.family(depth: depth)
            #expect(bounds.contains(id))
            #expect(bounds.lowerBound.commonPrefixLength(with: bounds.upperBound) == depth)
            #expect(id.keeping(depth) == bounds.lowerBound)
        }
    }
}
