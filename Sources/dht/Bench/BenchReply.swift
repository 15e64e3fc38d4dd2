import DHTGateway
import SecureDHT

/// The findings of a benchmark, as JSON: `docs/cli.md`.
struct BenchReply: Encodable {
    /// One kind of operations, one at a time.
    struct Operation: Encodable {
        var median: Double
        var percentile99: Double
        var processor: Double
        var calls: Double
        var datagrams: Double

        init(_ sample: BenchOverlay.Sample) {
            let count = Double(sample.count)
            median = sample.latency(at: 0.5).inMilliseconds
            percentile99 = sample.latency(at: 0.99).inMilliseconds
            processor = sample.processor.inMilliseconds / count
            calls = Double(sample.calls) / count
            datagrams = Double(sample.datagrams) / count
        }

        enum CodingKeys: String, CodingKey {
            case median = "median_ms"
            case percentile99 = "p99_ms"
            case processor = "cpu_ms"
            case calls = "rpcs"
            case datagrams
        }
    }

    /// Gets of two nodes, so many of them at once.
    struct Pair: Encodable {
        var atOnce: Int
        var microseconds: Double
        var overFloor: Double
        var perSecond: Double

        enum CodingKeys: String, CodingKey {
            case atOnce = "at_once"
            case microseconds = "rpc_us"
            case overFloor = "rpc_over_floor"
            case perSecond = "rpcs_per_second"
        }
    }

    /// All nodes, so many operations at once.
    struct Load: Encodable {
        var atOnce: Int
        var puts: Double
        var gets: Double
        /// Of all requests sent while getting.
        var retransmissions: Double
        var worst: Double

        enum CodingKeys: String, CodingKey {
            case atOnce = "at_once"
            case puts = "puts_per_second"
            case gets = "gets_per_second"
            case retransmissions = "get_retransmissions"
            case worst = "get_p99_ms"
        }
    }

    private(set) var schema = 1
    let nodes: Int
    let floor: Double
    /// Of the last of ``pairs``, and its ratio to the floor.
    let call: Double?
    let overFloor: Double?
    let pairs: [Pair]
    let put: Operation
    let get: Operation
    let load: [Load]

    enum CodingKeys: String, CodingKey {
        case schema, nodes, pairs, put, get, load
        case floor = "floor_us"
        case call = "rpc_us"
        case overFloor = "rpc_over_floor"
    }

    init(nodes: Int, floor: Double, pairs: [Pair], put: Operation, get: Operation, load: [Load]) {
        (self.nodes, self.floor, self.pairs) = (nodes, floor, pairs)
        (call, overFloor) = (pairs.last?.microseconds, pairs.last?.overFloor)
        (self.put, self.get, self.load) = (put, get, load)
    }

    /// For people.
    var lines: [String] {
        var lines = [
            "floor      \(Self.number(floor)) µs: libsodium alone, one sealed call, both ends together"
        ]
        for pair in pairs {
            lines.append(
                "call       \(Self.number(pair.overFloor)) × the floor, "
                    + "\(Self.number(pair.perSecond)) a second: 2 nodes, \(pair.atOnce) at once"
            )
        }
        for (name, operation) in [("put", put), ("get", get)] {
            lines.append(
                "\(name)        \(Self.number(operation.median)) ms median, "
                    + "\(Self.number(operation.percentile99)) p99, "
                    + "\(Self.number(operation.processor)) of CPU, "
                    + "\(Self.number(operation.calls)) calls: \(nodes) nodes, one at a time"
            )
        }
        for load in load {
            lines.append(
                "load       \(Self.number(load.puts)) puts, \(Self.number(load.gets)) gets a second: "
                    + "\(load.atOnce) at once, gets p99 \(Self.number(load.worst)) ms, "
                    + "\(Self.number(load.retransmissions * 100)) % sent again"
            )
        }
        return lines
    }

    /// Three digits, which is more than such a measurement holds.
    private static func number(_ value: Double) -> String {
        var (scale, unit) = (1, value)
        while unit < 100, scale < 100 { (scale, unit) = (scale * 10, unit * 10) }
        let rounded = Int(unit.rounded())
        guard scale > 1 else { return "\(rounded)" }
        let fraction = String(rounded % scale + scale).dropFirst()
        return "\(rounded / scale).\(fraction)"
    }
}

extension BenchReply.Pair {
    /// `floor`: microseconds.
    init(_ sample: BenchOverlay.Sample, atOnce: Int, floor: Double) {
        self.atOnce = atOnce
        microseconds = sample.processor.inMilliseconds * 1000 / Double(sample.calls)
        overFloor = microseconds / floor
        perSecond = Double(sample.calls) * 1000 / sample.wall.inMilliseconds
    }
}

extension BenchReply.Load {
    init(atOnce: Int, puts: BenchOverlay.Sample, gets: BenchOverlay.Sample) {
        self.atOnce = atOnce
        self.puts = puts.perSecond
        self.gets = gets.perSecond
        retransmissions = Double(gets.retransmissions) / Double(gets.calls)
        worst = gets.latency(at: 0.99).inMilliseconds
    }
}
