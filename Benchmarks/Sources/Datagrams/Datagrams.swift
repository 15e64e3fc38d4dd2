import Crowd
import SecureDHT

/// How many datagrams it takes that nodes find each other, that one puts a value, that one reads it.
///
///     swift run -c release datagrams [NODES [VALUES [PAUSE]]]
///
/// `PAUSE`: milliseconds between two starts; with 0 they share the processor, and late answers cost more.
@main
struct Datagrams {
    /// No datagram for so long, and the overlay is quiet.
    static let silence = Duration.seconds(5)
    /// What an operation caused beside it is over after this.
    static let aftermath = Duration.milliseconds(500)

    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        let (count, values) = (numbers.first ?? 128, numbers.dropFirst().first ?? 50)
        let pause = numbers.dropFirst(2).first ?? 50
        let nodes = try await Crowd.start(count, pause: .milliseconds(pause))
        await quiet(nodes)
        var known = 0
        for node in nodes { known += await node.status().peersUp }
        print("each knows \(Double(known * 10 / count) / 10) others")
        await report("until all are started and quiet", of: nodes, since: [:], for: count, "node")

        var before = await totals(nodes)
        var receipts: [PutReceipt] = []
        for number in 0..<values {
            receipts.append(try await nodes[number * 5 % count].put(text, for: key(number)))
        }
        try await Task.sleep(for: aftermath)
        await report("put", of: nodes, since: before, for: values, "put")
        precondition(receipts.allSatisfy { $0.stored >= min(8, count) }, "a put has too few copies")

        before = await totals(nodes)
        for number in 0..<values {
            let holders = Set(receipts[number].replicas.map(\.identity))
            let putter = number * 5 % count
            guard
                let reader = (1..<count).map({ nodes[(putter + 7 * $0) % count] })
                    .first(where: { !holders.contains($0.identity) })
            else { preconditionFailure("everybody holds \(key(number))") }
            let found = try await reader.get(key(number))
            precondition(found?.text == text, "\(key(number)) was not found")
        }
        try await Task.sleep(for: aftermath)
        await report("get", of: nodes, since: before, for: values, "get")
        for node in nodes { await node.abandon() }
    }

    static let text = String(repeating: "0123456789", count: 10)
    static func key(_ number: Int) -> String { "key \(number)" }

    /// Waits until nobody sends anything.
    static func quiet(_ nodes: [DHTNode]) async {
        var (last, since) = (UInt64.max, ContinuousClock.now)
        while ContinuousClock.now - since < silence {
            try? await Task.sleep(for: .milliseconds(250))
            let sent = await totals(nodes)["transmitted", default: 0]
            if sent != last { (last, since) = (sent, .now) }
        }
    }

    /// What all nodes counted.
    static func totals(_ nodes: [DHTNode]) async -> [String: UInt64] {
        var sums: [String: UInt64] = [:]
        for node in nodes {
            for counter in await node.status().counters { sums[counter.name, default: 0] += counter.count }
        }
        return sums
    }

    static func report(
        _ title: String,
        of nodes: [DHTNode],
        since before: [String: UInt64],
        for count: Int,
        _ unit: String
    ) async {
        let now = await totals(nodes)
        func each(_ name: String) -> Double {
            let sum = now[name, default: 0] - before[name, default: 0]
            return (Double(sum) * 100 / Double(count)).rounded() / 100
        }
        print("\(title): \(each("transmitted")) datagrams a \(unit);", terminator: " ")
        let details = ["inquiries", "proofs", "overdue", "retransmissions", "timeouts"]
        print("of these, or for them:", details.map { "\($0) \(each($0))" }.joined(separator: ", "))
    }
}
