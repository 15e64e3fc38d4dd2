import DHTCore
import DHTCrypto
import Testing

@testable import DHTEngine

/// Random small worlds with all that can go wrong at once. A failure names the seed that shows it again.
struct SwarmTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `what was acknowledged is read, whatever the network does`(seed: UInt64) {
        let swarm = Swarm(seed: seed)
        for _ in 0..<60 { swarm.step() }
        swarm.calmDown()
        swarm.checkBounds()
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `with a fifth of all datagrams lost puts and gets are right`(seed: UInt64) {
        let overlay = Overlay(8, seed: seed)
        overlay.conditions = .init(delays: 5...60, loss: 0.2)
        overlay.startAll(settle: .seconds(40))
        let copies = (0..<12).map { number in
            overlay.put("key \(number)", "value \(number)", at: number % 8)?.stored ?? 0
        }
        // Three of seven peers may miss all three transmissions, but rarely.
        #expect(copies.allSatisfy { $0 >= 5 })
        #expect(copies.count { $0 >= 6 } >= 11)
        for number in 0..<12 {
            #expect(overlay.text("key \(number)", at: (number + 5) % 8) == "value \(number)", "key \(number)")
        }
    }
}

/// One random world, and a model of what may be read in it.
private final class Swarm {
    private let overlay: Overlay
    private var chance: SplitMix64
    private let count: Int
    private var portsGiven: UInt16 = 4001
    /// For each key, what each write put there and how many copies were acknowledged, in order.
    private var written: [Int: [(value: UInt8, stored: Int)]] = [:]
    private var nextValue: UInt8 = 0
    private static let keys = 6

    init(seed: UInt64) {
        chance = SplitMix64(seed: seed &* 0x1234_5678_9ABC)
        count = Int.random(in: 3...8, using: &chance)
        overlay = Overlay(count, seed: seed)
        let slowest = UInt64.random(in: 20...250, using: &chance)
        overlay.conditions = .init(
            delays: 1...slowest,
            loss: Double.random(in: 0...0.15, using: &chance),
            duplication: Double.random(in: 0...0.1, using: &chance)
        )
        for host in overlay.hosts { host.clockError = Int64.random(in: -60_000...60_000, using: &chance) }
        overlay.startAll(settle: .seconds(20))
    }

    private func someone() -> Int { overlay.alive.map(\.index).randomElement(using: &chance) ?? 0 }

    func step() {
        switch Int.random(in: 0..<100, using: &chance) {
        case ..<35: write()
        case ..<75: read()
        case ..<82: crash()
        case ..<90: recover()
        case ..<93: cut()
        default: overlay.run(for: .milliseconds(UInt64.random(in: 1...20_000, using: &chance)))
        }
    }

    /// Each key has one author, so that the order of writing is the order of revisions.
    private func write() {
        let key = Int.random(in: 0..<Self.keys, using: &chance)
        let author = key % count
        guard overlay[author].isAlive else { return }
        nextValue += 1
        guard let (_, outcome) = overlay.put("key \(key)", [nextValue], at: author) else {
            Issue.record("a put does not end")
            return
        }
        written[key, default: []].append((nextValue, outcome.stored))
    }

    /// A read that reached enough nodes to meet one that acknowledged a write brings that write or a later
    /// one.
    private func read() {
        let key = Int.random(in: 0..<Self.keys, using: &chance)
        guard let outcome = overlay.look("key \(key)", replicas: 8, at: someone()) else {
            Issue.record("a get does not end")
            return
        }
        let history = written[key] ?? []
        let found = outcome.found.first.map { $0.record.value.first ?? 0 }
        let sure = history.lastIndex { $0.stored + outcome.answered > count }
        let place = history.firstIndex { $0.value == found }
        if let found { #expect(place != nil, "nobody wrote \(found)") }
        if let sure {
            #expect((place ?? -1) >= sure, "of \(history), found \(found.map { "\($0)" } ?? "nothing")")
        }
    }

    private func crash() {
        guard overlay.alive.count > count / 2 + 1 else { return }
        overlay.kill(someone())
    }

    private func recover() {
        guard let dead = overlay.hosts.filter({ !$0.isAlive }).map(\.index).randomElement(using: &chance)
        else { return }
        if chance.perMille(300) {
            overlay.move(dead, toPort: portsGiven)
            portsGiven += 1
        }
        overlay.start(dead, seeds: [someone()])
    }

    private func cut() {
        overlay.groups = [someone(): 1]
        overlay.run(for: .milliseconds(UInt64.random(in: 100...30_000, using: &chance)))
        overlay.groups = [:]
    }

    func calmDown() {
        overlay.conditions = .init()
        overlay.groups = [:]
        for host in overlay.hosts where !host.isAlive { overlay.start(host.index, seeds: [someone()]) }
        overlay.run(for: .minutes(16))
        for key in 0..<Self.keys {
            guard let history = written[key], let last = history.lastIndex(where: { $0.stored > 0 }) else {
                continue
            }
            let found = overlay.get("key \(key)", replicas: 8, at: someone())?.first
            let place = history.firstIndex { $0.value == found }
            #expect(
                (place ?? -1) >= last,
                "key \(key): of \(history), found \(found.map { "\($0)" } ?? "nothing")"
            )
        }
    }

    func checkBounds() {
        let isQuiet = overlay.run(until: overlay.clock + .minutes(1)) {
            overlay.alive.allSatisfy { $0.engine.callsInFlight == 0 && $0.engine.core.isIdle }
        }
        #expect(isQuiet)
        for host in overlay.hosts {
            #expect(host.engine.inboundRequests.isEmpty)
            #expect(host.engine.desk.operations.isEmpty)
            #expect(host.engine.core.table.count == count - 1, "everybody was found again")
            #expect(host.engine.core.catalog.count == host.store.count)
            #expect(host.engine.core.catalog.byteCount == host.store.byteCount)
            #expect(host.engine.calls.roundTrips.count <= count)
            #expect(host.engine.desk.order.revisions.count <= Self.keys)
        }
    }
}
