import DHTCore
import DHTCrypto
import DHTEngine
import Testing

/// Machines come and go; what was put stays, and what was deleted stays away.
struct ReplacementTests {
    /// Starts host after host of the second half, each with a host of the first half gone right after.
    private func replaceAll(of overlay: Overlay, _ retire: (Int) -> Void) {
        let count = overlay.hosts.count / 2
        for index in 0..<count {
            let seeds = [index, (index + count - 1) % count].filter { overlay[$0].isAlive }
            overlay.start(count + index, seeds: seeds.isEmpty ? [count + index - 1] : seeds)
            overlay.run(for: .seconds(30))
            retire(index)
            overlay.run(for: .seconds(90))
        }
    }

    @Test func `all of 24 nodes are replaced one by one, and every value is there`() {
        let overlay = Overlay(48)
        overlay.startAll(24)
        for number in 0..<12 {
            #expect(
                (overlay.put("key \(number)", "value \(number)", lifetime: 86_400, at: number)?.stored ?? 0)
                    >= 8
            )
        }
        for number in 0..<4 { overlay.put("deleted \(number)", "value", lifetime: 86_400, at: number) }
        for number in 0..<4 { overlay.delete("deleted \(number)", at: number) }
        for number in 0..<4 { overlay.put("brief \(number)", "value", lifetime: 600, at: number) }
        replaceAll(of: overlay) { index in
            #expect(overlay.leave(index))
            overlay.kill(index)
        }
        #expect(overlay.alive.map(\.index) == Array(24..<48))
        for number in 0..<12 {
            #expect(overlay.text("key \(number)", at: 24 + number) == "value \(number)")
            let holders = overlay.holders(of: "key \(number)").filter { overlay[$0].isAlive }
            #expect(holders.count >= 8, "key \(number) is at \(holders)")
        }
        for number in 0..<4 {
            #expect(overlay.text("deleted \(number)", replicas: 8, at: 30 + number) == nil)
            #expect(overlay.text("brief \(number)", replicas: 8, at: 30 + number) == nil)
        }
    }

    @Test func `nodes that crash one by one, each with its records, take no value with them`() {
        let overlay = Overlay(24)
        overlay.startAll(12)
        for number in 0..<8 { overlay.put("key \(number)", "value \(number)", lifetime: 86_400, at: number) }
        replaceAll(of: overlay) { overlay.kill($0) }
        overlay.run(for: .minutes(20))
        for number in 0..<8 {
            #expect(overlay.text("key \(number)", at: 12 + number) == "value \(number)")
            let holders = overlay.holders(of: "key \(number)").filter { overlay[$0].isAlive }
            #expect(holders.count >= 8, "key \(number) is at \(holders)")
        }
    }

    @Test func `a node whose disk is new gets its records back though nobody missed it`() {
        let overlay = Overlay(4)
        overlay.startAll()
        for number in 0..<6 { overlay.put("key \(number)", "value \(number)", lifetime: 86_400, at: 0) }
        overlay.run(for: .minutes(2))
        overlay.kill(2)
        overlay[2].store = .init()
        overlay.start(2, seeds: [0])
        overlay.run(for: .minutes(2))
        #expect(overlay[2].store.count == 6)
        for host in overlay.alive { #expect(host.engine.core.underReplicated == 0) }
    }

    @Test func `a value that a delete made us take on does not come back`() {
        let overlay = Overlay(4)
        overlay.startAll()
        overlay.put("key", "value", lifetime: 86_400, at: 0)
        overlay.kill(0)
        overlay[0].store = .init()
        overlay.start(0, seeds: [1])
        overlay.run(for: .milliseconds(600))
        #expect(overlay[0].store.count == 0)
        overlay.delete("key", at: 0)
        overlay.run(for: .minutes(1))
        let record = overlay.look("key", replicas: 4, at: 0)?.found.first?.record
        #expect(record?.isTombstone == true)
        for host in overlay.hosts {
            #expect(host.store.record(at: sha1(Array("key".utf8)), by: overlay[0].identity) == record)
        }
    }

    @Test func `a put before anybody else was there reaches whoever comes`() {
        let overlay = Overlay(3)
        overlay.start(0)
        overlay.put("key", "value", lifetime: 86_400, at: 0)
        overlay.start(1, seeds: [0])
        overlay.run(for: .seconds(20))
        #expect(overlay[1].store.count == 1)
        overlay.kill(0)
        overlay.start(2, seeds: [1])
        overlay.run(for: .seconds(20))
        #expect(overlay.text("key", at: 2) == "value")
    }
}
