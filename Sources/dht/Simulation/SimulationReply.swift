import DHTGateway
import DHTSimulator
import Glibc

/// A world's report as JSON: `docs/cli.md`. But for `machine`, the same from every run.
struct SimulationReply: Encodable {
    struct Lookups: Encodable {
        var count: Int
        var succeeded: Int
        var hopsMedian: Int
        var hops99: Int
        var requestsMean: Double

        enum CodingKeys: String, CodingKey {
            case count, succeeded
            case hopsMedian = "hops_p50"
            case hops99 = "hops_p99"
            case requestsMean = "rpcs_mean"
        }
    }

    struct Records: Encodable {
        var put: Int
        var lost: Int
        var wrong: Int
    }

    struct Traffic: Encodable {
        var datagrams: UInt64
        var bytes: UInt64
        var bytesPerNodeAndDay: UInt64

        enum CodingKeys: String, CodingKey {
            case datagrams, bytes
            case bytesPerNodeAndDay = "bytes_per_node_and_day"
        }
    }

    struct Violation: Encodable {
        var milliseconds: UInt64
        var checker: String
        var text: String

        enum CodingKeys: String, CodingKey {
            case milliseconds = "at_ms"
            case checker, text
        }
    }

    struct Slice: Encodable {
        var hour: Double
        var reads: Int
        var succeeded: Int
        var hopsMean: Double

        enum CodingKeys: String, CodingKey {
            case hour, reads, succeeded
            case hopsMean = "hops_mean"
        }
    }

    /// There even if there is nothing to say, as `null`.
    struct Nullable<Value: Encodable>: Encodable {
        var value: Value?

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(value)
        }
    }

    /// Resources of this machine that the run took.
    struct AnyEngine: Encodable {
        var seconds: Double
        var eventsPerSecond: UInt64
        var memoryBytes: Nullable<Int>

        init(_ taken: Duration, events: UInt64) {
            let (whole, fraction) = taken.components
            let seconds = Double(whole) + Double(fraction) / 1e18
            self.seconds = seconds
            eventsPerSecond = seconds > 0 ? UInt64((Double(events) / seconds).rounded()) : 0
            memoryBytes = Nullable(value: Self.residentBytes)
        }

        /// Memory that the process holds, where the kernel tells.
        private static var residentBytes: Int? {
            guard let bytes = try? FileBytes.readFile("/proc/self/statm", limit: 1024) else { return nil }
            let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
            return fields.dropFirst().first.flatMap { Int($0) }.map { $0 * sysconf(Int32(_SC_PAGESIZE)) }
        }

        enum CodingKeys: String, CodingKey {
            case seconds
            case eventsPerSecond = "events_per_second"
            case memoryBytes = "memory_bytes"
        }
    }

    private(set) var schema = 1
    var scenario: String
    var seed: UInt64
    var nodes: Int
    var hours: Double
    var sealing: String
    var traceDigest: String
    var lookups: Lookups
    var records: Records
    var virtualHours: Double
    var events: UInt64
    var traffic: Traffic
    var convergence: Nullable<UInt64>
    var violations: [Violation]
    var slices: [Slice]
    var replay: String
    var machine: AnyEngine

    enum CodingKeys: String, CodingKey {
        case schema, scenario, seed, nodes, hours, sealing, lookups, records, events, traffic, violations
        case slices, replay, machine
        case traceDigest = "trace_digest"
        case virtualHours = "virtual_hours"
        case convergence = "convergence_ms"
    }

    init(_ report: SimulationReport, of options: SimulationOptions, replay: String, taken: Duration) {
        (scenario, seed, nodes) = (options.scenario.rawValue, report.seed, report.nodes)
        (hours, sealing) = (options.hours, report.sealing.rawValue)
        traceDigest = SimulationText.digest(report.traceDigest)
        lookups = Lookups(
            count: report.reads,
            succeeded: report.readsSucceeded,
            hopsMedian: report.hopsMedian,
            hops99: report.hops99,
            requestsMean: report.requestsMean
        )
        records = Records(put: report.recordsPut, lost: report.recordsLost, wrong: report.readsWrong)
        (virtualHours, events) = (report.virtualHours, report.events)
        traffic = Traffic(
            datagrams: report.datagrams,
            bytes: report.bytes,
            bytesPerNodeAndDay: UInt64(report.bytesPerNodeAndDay)
        )
        convergence = Nullable(value: report.convergence?.milliseconds)
        violations = report.violations.map {
            Violation(milliseconds: $0.at / 1_000_000, checker: $0.checker, text: $0.text)
        }
        slices = report.slices(within: options.hours).map {
            Slice(hour: $0.hour, reads: $0.reads, succeeded: $0.succeeded, hopsMean: $0.hopsMean)
        }
        self.replay = replay
        machine = AnyEngine(taken, events: report.events)
    }
}
