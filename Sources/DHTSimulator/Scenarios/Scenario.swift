import DHTCore

/// Courses of events in a world, by name. Each has numbers of its own, which options replace.
package enum Scenario: String, CaseIterable, Sendable {
    case calm, vanish, churn, replace, lossy, partition, roaming, restart, blackout, clocks, disks, revocation
    case hostile, eclipse, flood, wanting, dawdling, promising, haunting, spoiling, amnesiac, swarm

    package var summary: String {
        switch self {
        case .calm: "nothing goes wrong"
        case .vanish: "30 % of the nodes vanish at one stroke, with their disks, and stay away"
        case .churn: "20 % of the nodes are replaced by empty ones every hour"
        case .replace: "every node leaves in good order, and a new one takes its place, one after the other"
        case .lossy: "10 % of all datagrams are lost, others doubled, overtaken or damaged"
        case .partition: "the network falls into two halves for a tenth of the time, and heals"
        case .roaming: "nodes get other addresses while they run"
        case .restart: "all nodes are restarted within a minute, with their disks"
        case .blackout: "all nodes lose power at one moment, while they write to slow disks"
        case .clocks: "clocks are wrong by up to two minutes, and jump"
        case .disks: "disks are slow, full, or fail"
        case .revocation: "members are expelled while they run"
        case .hostile: "20 % of the members collude: they name each other, and keep nothing"
        case .eclipse: "eight colluding members have ids ground to lie next to one key"
        case .flood: "5 % of the members store without end"
        case .wanting: "20 % of the members say that they want long values, and fetch none"
        case .dawdling: "20 % of the members say that they want long values, and fetch next to nothing"
        case .promising: "20 % of the members put references to long values that do not exist"
        case .haunting: "20 % of the members name some that never run, and useless addresses"
        case .spoiling: "20 % of the members give wrong pieces of long values, while others lose their disks"
        case .amnesiac: "20 % of the members forget all they stored, and start anew over and over"
        case .swarm: "a small world in which everything is drawn from the seed"
        }
    }

    /// The share of datagrams that is lost, unless somebody says otherwise.
    var loss: Double { self == .lossy ? 0.1 : 0 }
    /// The share of nodes replaced in an hour.
    var churn: Double { self == .churn ? 0.2 : 0 }
    /// The share of hostile members.
    var adversaries: Double {
        switch self {
        case .hostile, .wanting, .dawdling, .promising, .haunting, .spoiling, .amnesiac: 0.2
        case .flood: 0.05
        default: 0
        }
    }
    var adversary: Adversary { badFaith ?? (self == .flood ? .flooding : .colluding) }
    /// The attack in spite of which honest members are to get on as if there were none.
    var badFaith: Adversary? {
        switch self {
        case .wanting: .wanting
        case .dawdling: .dawdling
        case .promising: .promising
        case .haunting: .haunting
        case .spoiling: .spoiling
        case .amnesiac: .amnesiac
        default: nil
        }
    }
    /// The share of members that never run.
    var absent: Double { self == .haunting ? 0.25 : 0 }
    /// The share of nodes that vanish.
    var vanishing: Double { self == .vanish ? 0.3 : 0 }
}

/// Options of a simulation.
package struct SimulationOptions: Sendable {
    package var scenario: Scenario
    package var nodes: Int
    /// Virtual time after the world has come about.
    package var hours: Double
    package var seed: UInt64
    /// Shares, 0…1; `nil`: the scenario's.
    package var loss: Double?
    package var churn: Double?
    package var adversaries: Double?
    /// The share that vanishes in the scenario `vanish`.
    package var vanishing: Double?
    /// d: disjoint paths of each lookup.
    package var paths = 1
    package var sealing: WorldPlan.Sealing?
    /// How long a datagram is under way; `nil`: 5 to 40 ms.
    package var delay: NetworkConditions.Delay?
    /// How many nodes have IPv4 only, IPv6 only and both, in proportion; `nil`: all have IPv4.
    package var families: Families?
    /// Values put at the start; `nil`: four a node, 500 at most.
    package var values: Int?
    /// Reads during the run.
    package var reads = 2000
    /// How long a world that came to rest may take until everybody knows the true closest nodes.
    package static let convergencePatience = Interval.minutes(30)

    package init(scenario: Scenario, nodes: Int, hours: Double, seed: UInt64) {
        (self.scenario, self.nodes, self.hours, self.seed) = (scenario, nodes, hours, seed)
    }
}

/// The outcome of a simulation.
package struct SimulationReport: Sendable {
    package struct Slice: Sendable {
        /// Hours since the run began.
        package let hour: Double
        package let reads: Int
        package let succeeded: Int
        package let hopsMean: Double
    }

    package var seed: UInt64
    package var nodes: Int
    package var sealing: WorldPlan.Sealing
    package var traceDigest: UInt64
    package var reads: Int
    package var readsSucceeded: Int
    package var hopsMedian: Int
    package var hops99: Int
    package var requestsMean: Double
    package var recordsPut: Int
    package var recordsLost: Int
    package var readsWrong: Int
    package var events: UInt64
    package var datagrams: UInt64
    package var bytes: UInt64
    /// Virtual hours, from the first node's start.
    package var virtualHours: Double
    /// `nil` if it was not tried, or did not happen in time.
    package var convergence: Interval?
    package var violations: [Violation]
    /// Of all honest nodes that run in the end.
    package var judgements: FailureDetectorCounters
    /// The sums of what these nodes count, by name.
    package var counters: [String: UInt64]
    /// How often hostile members named others that never run.
    package var ghostsNamed: Int
    /// Wrong chunks of content that others gave them.
    package var chunksSpoilt: Int
    /// Long values that were to be read, and those of which nobody could be reached who has them.
    package var contentsRead: Int
    package var contentsMissed: Int
    /// How often what the scenario tells of has happened, by name.
    package var faults: [String: Int]
    package var slices: [Slice]
    /// Events and their times in hours: for a plot.
    package var marks: [(hour: Double, label: String)]

    package var bytesPerNodeAndDay: Double { Double(bytes) / Double(nodes) / virtualHours * 24 }
}
