import DHTCore
import Testing

@testable import DHTEngine

/// Long values of which some of those who have them died, unnoticed by whoever reads.
struct DeadSourcesTests {
    private static let value = ContentTests.bytes(600_000)
    /// After so long, at these distances, an answer is overdue, and another peer is known to be there.
    private static let patience = Interval.milliseconds(150)

    /// A long value at eight hosts, and readers that do not have it.
    private struct Scene {
        let overlay: Overlay
        let holders: [Int]
        let reader: Int
        let record: Record

        init(hosts count: Int) throws {
            let overlay = Overlay(count)
            overlay.startAll()
            overlay.putLong("long", DeadSourcesTests.value, at: 0)
            let holders = overlay.holders(of: "long")
            // Not the author's either: it is asked last.
            let reader = try #require((1..<count).first { !holders.contains($0) })
            record = try #require(overlay.look("long", at: reader)?.found.first?.record)
            (self.overlay, self.holders, self.reader) = (overlay, holders, reader)
        }

        /// How long the whole value takes, and how long its first piece.
        func times(killing dead: [Int], naming named: [Int]? = nil) throws -> (
            whole: Interval, first: Interval
        ) {
            for index in dead { overlay.kill(index) }
            let contacts = (named ?? holders).map { overlay[$0].contact }
            let host = overlay[reader]
            let begin = overlay.clock
            let name = overlay.submit(.read(record, from: contacts), at: reader)
            var first: Interval?
            while host.outcomes[name] == nil {
                let before = host.pieces[name]?.count
                overlay.act(host) { engine, turn in _ = engine.pull(name, in: &turn) }
                let goesOn = overlay.run(until: overlay.clock + .seconds(120)) {
                    host.pieces[name]?.count != before || host.outcomes[name] != nil
                }
                try #require(goesOn)
                if first == nil { first = overlay.clock.since(begin) }
            }
            #expect(host.pieces[name, default: []].flatMap(\.self) == DeadSourcesTests.value)
            return (overlay.clock.since(begin), try #require(first))
        }
    }

    /// Each time twice as many are asked: one, two more, four more.
    @Test(arguments: [(1, 1), (3, 2), (7, 3)])
    func `the first piece comes from others round trips later, not time-outs, if those asked first are dead`(
        count: Int,
        waits: Int
    ) throws {
        let scene = try Scene(hosts: 20)
        let alive = try scene.times(killing: [])
        let dead = try scene.times(killing: Array(scene.holders.prefix(count)))
        #expect(dead.first <= alive.first + Self.patience * UInt64(waits), "\(dead.first), \(alive.first)")
    }

    @Test func `with half of all dead a long value takes no more than three times as long`() throws {
        let scene = try Scene(hosts: 20)
        let alive = try scene.times(killing: [])
        let others = (0..<20).filter { !scene.holders.contains($0) && $0 != scene.reader }
        let dead = try scene.times(killing: Array(scene.holders.prefix(4) + others.prefix(6)))
        #expect(dead.whole <= alive.whole + alive.whole + alive.whole, "\(dead.whole), \(alive.whole)")
    }

    @Test func `if all who were named are dead, the others who ought to have it are asked at once`() throws {
        let scene = try Scene(hosts: 20)
        let alive = try scene.times(killing: [])
        let named = Array(scene.holders.prefix(3))
        let dead = try scene.times(killing: named, naming: named)
        #expect(dead.first <= alive.first + Self.patience * 2, "\(dead.first), \(alive.first)")
    }
}
