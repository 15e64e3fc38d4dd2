import CoreMetrics
import DHTCore
import DHTEngine

/// A node's metrics in the backend of its user. `docs/operations.md` lists them.
///
/// Durations are recorded one by one, as requests and lookups end. All else the node counts itself, and
/// ``sample(_:)`` adds once a second what the counts have risen by: so they cost a datagram nothing.
struct NodeMetrics {
    /// The names of all metrics begin so.
    private static let prefix = "dht_"

    /// Somebody looks: the factory is not the one that forgets everything.
    let isOn: Bool
    private let factory: any MetricsFactory
    /// By operation and outcome.
    private let calls: [CallKey: Timer]
    private let lookups: [LookupEnd.Purpose: Timer]
    private let hops: Recorder
    private let lag: Timer
    private var counters: [Series: Sampled] = [:]
    private var gauges: [Series: Gauge] = [:]
    private var operations: [OperationKey: Timer] = [:]
    /// When the next look at the node is due.
    private var due: Instant?

    private struct CallKey: Hashable {
        let operation: OperationCode
        let outcome: CallFigures.Outcome
    }

    private struct OperationKey: Hashable {
        let operation: String
        let outcome: String
    }

    /// A metric, and the one label it may have.
    private struct Series: Hashable {
        let name: String
        var label: String?
        var value = ""

        var dimensions: [(String, String)] { label.map { [($0, value)] } ?? [] }
    }

    /// A counter, and the count that it was last told.
    private struct Sampled {
        let counter: Counter
        var told: UInt64 = 0

        mutating func reach(_ count: UInt64) {
            guard count > told else { return }
            counter.increment(by: Int64(clamping: count - told))
            told = count
        }
    }

    init(_ factory: any MetricsFactory) {
        self.factory = factory
        isOn = !(factory is NOOPMetricsHandler)
        func timer(_ name: String, _ dimensions: [(String, String)] = []) -> Timer {
            Timer(label: Self.prefix + name, dimensions: dimensions, factory: factory)
        }
        var calls: [CallKey: Timer] = [:]
        for operation in OperationCode.allCases {
            for outcome in CallFigures.Outcome.allCases {
                calls[CallKey(operation: operation, outcome: outcome)] = timer(
                    "rpc_duration_seconds",
                    [("operation", operation.name), ("outcome", outcome.name)]
                )
            }
        }
        self.calls = calls
        var lookups: [LookupEnd.Purpose: Timer] = [:]
        for purpose in LookupEnd.Purpose.allCases {
            lookups[purpose] = timer("lookup_duration_seconds", [("operation", purpose.rawValue)])
        }
        self.lookups = lookups
        hops = Recorder(label: Self.prefix + "lookup_hops", factory: factory)
        lag = timer("event_loop_lag_seconds")
    }

    /// How long commits to the disk take.
    static func commits(_ factory: any MetricsFactory) -> Timer {
        Timer(label: prefix + "disk_commit_duration_seconds", factory: factory)
    }

    // MARK: Single observations

    func record(_ end: CallFigures.Observation) {
        calls[CallKey(operation: end.operation, outcome: end.outcome)]?.recordInterval(end.duration)
    }

    func record(_ end: LookupEnd) {
        lookups[end.purpose]?.recordInterval(end.duration)
        hops.record(end.hops)
    }

    /// An operation of a user ended.
    mutating func record(_ operation: DHTEngine.Operation, _ ending: Ending, after duration: Interval) {
        let key = OperationKey(operation: operation.name, outcome: ending.name)
        if operations[key] == nil {
            operations[key] = Timer(
                label: Self.prefix + "operation_duration_seconds",
                dimensions: [("operation", key.operation), ("outcome", key.outcome)],
                factory: factory
            )
        }
        operations[key]?.recordInterval(duration)
    }

    /// The node is looked at, as it is to be every `pause`.
    mutating func look(at now: Instant) {
        if let due { lag.recordInterval(now.since(due)) }
    }

    mutating func expectLook(at due: Instant) { self.due = due }

    // MARK: Samples

    /// A node at one moment.
    struct Sample {
        let counters: Counters
        let figures: CallFigures
        let refusals: SendRefusals
        let unroutable: UInt64
        /// Contacts and members, by how they answered lately.
        let peers: [PeerStatus.State: Int]
        let records: Int
        let recordBytes: Int
        /// Bytes from which on the store is full.
        let byteLimit: Int
        let underReplicated: Int
        /// Copies that wait to be given.
        let repairs: Int
        /// Operations of users, under way and waiting for their turn.
        let operations: (underWay: Int, waiting: Int)
        let complaints: Set<NodeStatus.Complaint.Kind>
        /// Of the clocks of peers to ours, before it or behind; none if that is not known.
        var clockDifferences: [Interval] = []
    }

    mutating func sample(_ sample: Sample) {
        for rejected in sample.counters.rejected {
            let reason = rejected.reason.name
            reach(rejected.count, Series(name: "datagrams_rejected_total", label: "reason", value: reason))
        }
        for (name, count) in sample.counters.named {
            switch name {
            case "received": reach(count, Series(name: "datagrams_total", label: "direction", value: "in"))
            case "transmitted":
                reach(count, Series(name: "datagrams_total", label: "direction", value: "out"))
            // Told by operation.
            case "inbound_requests": break
            default: reach(count, Series(name: name + "_total"))
            }
        }
        for operation in OperationCode.allCases {
            let (label, value) = ("operation", operation.name)
            let series = Series(name: "rpc_inbound_total", label: label, value: value)
            reach(sample.figures.inbound(operation), series)
            let outbound = Series(name: "rpc_outbound_total", label: label, value: value)
            reach(sample.figures.outbound(operation), outbound)
        }
        for (error, count) in sample.refusals.failed {
            reach(count, Series(name: "send_errors_total", label: "errno", value: error))
        }
        reach(sample.refusals.avoided, Series(name: "send_avoided_total"))
        reach(sample.unroutable, Series(name: "unroutable_total"))
        for (state, count) in sample.peers {
            set(Double(count), Series(name: "peers", label: "state", value: state.rawValue))
        }
        set(Double(sample.records), Series(name: "store_records"))
        set(Double(sample.recordBytes), Series(name: "store_bytes"))
        set(Double(sample.byteLimit), Series(name: "store_limit_bytes"))
        set(Double(sample.underReplicated), Series(name: "under_replicated_records"))
        set(Double(sample.repairs), Series(name: "repair_queue"))
        set(Double(sample.operations.underWay), Series(name: "operations_in_flight"))
        set(Double(sample.operations.waiting), Series(name: "operations_waiting"))
        for kind in sample.complaints.union(NodeStatus.Complaint.Kind.all) {
            let health = sample.complaints.contains(kind) ? 0.0 : 1
            set(health, Series(name: "health", label: "kind", value: kind.rawValue))
        }
        set(clockDifferences: sample.clockDifferences)
    }

    /// The largest difference; without any there is no such metric.
    private mutating func set(clockDifferences: [Interval]) {
        guard let largest = clockDifferences.max() else { return }
        set(largest.inSeconds, Series(name: "clock_difference_seconds"))
    }

    private mutating func reach(_ count: UInt64, _ series: Series) {
        if counters[series] == nil {
            let label = Self.prefix + series.name
            counters[series] = Sampled(
                counter: Counter(label: label, dimensions: series.dimensions, factory: factory)
            )
        }
        counters[series]?.reach(count)
    }

    private mutating func set(_ value: Double, _ series: Series) {
        if gauges[series] == nil {
            let label = Self.prefix + series.name
            gauges[series] = Gauge(label: label, dimensions: series.dimensions, factory: factory)
        }
        gauges[series]?.record(value)
    }
}

extension Timer {
    func recordInterval(_ interval: Interval) { recordNanoseconds(Int64(clamping: interval.nanoseconds)) }
}

extension Interval {
    private static let nanosecondsASecond = 1e9

    fileprivate var inSeconds: Double { Double(nanoseconds) / Self.nanosecondsASecond }
}

extension DHTEngine.Operation {
    /// As the labels of metrics have it.
    fileprivate var name: String {
        switch self {
        case .put: "put"
        case .delete: "delete"
        case .get: "get"
        case .fetch, .read: "fetch"
        case .ping: "ping"
        case .trace: "trace"
        case .leave: "leave"
        }
    }
}

extension Ending {
    /// As the labels of metrics have it.
    fileprivate var name: String {
        switch self {
        case .cancelled: "cancelled"
        case .timedOut: "timeout"
        case .stopped: "stopped"
        case .outcome(.put(_, let outcome)): outcome.stored > 0 ? "done" : "failed"
        case .outcome(.conflict): "conflict"
        case .outcome(.nothingToDelete(let outcome)), .outcome(.got(let outcome)): outcome.name
        case .outcome(.fetched(let bytes)): bytes == nil ? "failed" : "done"
        case .outcome(.pinged(let roundTrip)): roundTrip == nil ? "failed" : "done"
        case .outcome(.unstorable), .outcome(.unkeepable): "failed"
        case .outcome(.left): "done"
        }
    }
}

extension GetOutcome {
    fileprivate var name: String {
        if !found.isEmpty { return "done" }
        return asked > 0 && answered == 0 ? "failed" : "absent"
    }
}

// MARK: Looking at the loop

extension NodeLoop {
    /// Tells the backend of all that ended in this turn.
    func tellMetrics() {
        guard metrics.isOn else { return }
        engine.takeCallEnds { metrics.record($0) }
        engine.core.takeLookupEnds { metrics.record($0) }
    }

    /// Brings the backend's counters and gauges up to now.
    func sampleMetrics(_ company: Company) {
        guard metrics.isOn else { return }
        let core = engine.core
        var peers: [PeerStatus.State: Int] = [.good: 0, .questionable: 0, .bad: 0, .unknown: 0]
        for entry in core.table.contacts { peers[.init(entry.reachability.grade), default: 0] += 1 }
        if case .members(let list) = engine.gate.admission {
            let others = list.members.count { $0.identity != engine.identity }
            peers[.unknown] = max(0, others - core.table.count)
        }
        metrics.sample(
            NodeMetrics.Sample(
                counters: engine.counters,
                figures: engine.figures,
                refusals: sockets.refusals,
                unroutable: sockets.unroutable,
                peers: peers,
                records: core.catalog.count,
                recordBytes: core.catalog.byteCount,
                byteLimit: core.catalog.quota.bytes,
                underReplicated: core.underReplicated,
                repairs: core.repairsWaiting,
                operations: (users.begunCount, users.unbegunCount),
                complaints: Set(complaints(company).map(\.kind)),
                clockDifferences: core.table.contacts.compactMap {
                    engine.view(of: $0.contact.identity).map { .milliseconds($0.clockDifference.magnitude) }
                }
            )
        )
    }
}
