import Crowd
import SecureDHT

/// An overlay in one process over real sockets, of which one half falls silent at one stroke: what the other
/// half still reads, and how fast, from that very moment on.
///
///     swift run -c release half-killed [NODES [VALUES]]
@main
struct HalfKilled {
    static let readsAtOnce = 16

    struct Reading {
        let wait: Duration
        let isThere: Bool
    }

    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        let (count, values) = (numbers.first ?? 128, numbers.dropFirst().first ?? 500)
        let nodes = try await Crowd.start(count)
        try await Task.sleep(for: .seconds(8))
        for number in 0..<values {
            let receipt = try await nodes[number % count].put(text(number), for: "key \(number)")
            precondition(receipt.stored >= min(8, count), "key \(number): \(receipt.stored) copies")
        }
        // Two of four: nodes take turns on the threads of the process, and each is to have its share of both.
        let readers = nodes.indices.filter { $0 % 4 < 2 }.map { nodes[$0] }
        report("all alive", await readAll(values, at: readers))
        await withTaskGroup(of: Void.self) { group in
            for index in nodes.indices where index % 4 >= 2 { group.addTask { await nodes[index].abandon() } }
        }
        report("half killed, at once", await readAll(values, at: readers))
        report("half killed, again", await readAll(values, at: readers))
        try await Task.sleep(for: .seconds(10))
        report("half killed, 10 s later", await readAll(values, at: readers))
        for node in readers { await node.abandon() }
    }

    static func text(_ number: Int) -> String { String(repeating: "value \(number) ", count: 10) }

    /// Reads every value, each at another node, ``readsAtOnce`` at a time.
    static func readAll(_ values: Int, at nodes: [DHTNode]) async -> [Reading] {
        await withTaskGroup(of: Reading.self) { group in
            var readings: [Reading] = []
            for number in 0..<values {
                if number >= readsAtOnce, let reading = await group.next() { readings.append(reading) }
                group.addTask {
                    let start = ContinuousClock.now
                    let found = try? await nodes[number * 7 % nodes.count].get("key \(number)")
                    return Reading(wait: ContinuousClock.now - start, isThere: found?.text == text(number))
                }
            }
            for await reading in group { readings.append(reading) }
            return readings
        }
    }

    static func report(_ title: String, _ readings: [Reading]) {
        let found = readings.filter(\.isThere)
        let waits = found.map(\.wait).sorted()
        func share(within limit: Duration) -> Double {
            Double(waits.count { $0 <= limit }) / Double(readings.count)
        }
        func milliseconds(_ share: Double) -> Double {
            guard !waits.isEmpty else { return .nan }
            let wait = waits[min(Int(Double(waits.count) * share), waits.count - 1)]
            return ((wait / .milliseconds(1)) * 100).rounded() / 100
        }
        print("\(title): \(found.count) of \(readings.count) read;", terminator: " ")
        print("within 50 ms \(share(within: .milliseconds(50))),", terminator: " ")
        print("within 1 s \(share(within: .seconds(1)));", terminator: " ")
        print("ms p50 \(milliseconds(0.5)), p90 \(milliseconds(0.9)),", terminator: " ")
        print("p99 \(milliseconds(0.99)), max \(milliseconds(1))")
    }
}
