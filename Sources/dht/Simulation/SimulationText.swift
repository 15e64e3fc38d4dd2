import DHTGateway
import DHTSimulator

/// A world's report as text, for people.
enum SimulationText {
    /// `50 nodes for 1 h of virtual time, sealed for real, seed 4711`
    static func world(_ report: SimulationReport, _ options: SimulationOptions) -> String {
        let sealing =
            switch report.sealing {
            case .real: "sealed for real"
            case .standIn: "sealed by a stand-in"
            }
        return counted(report.nodes, "node") + " for \(time(options.hours)) of virtual time, \(sealing), "
            + "seed \(report.seed)"
    }

    /// Everything, a line each.
    static func report(
        _ report: SimulationReport,
        _ options: SimulationOptions,
        changes: [String]
    ) -> [String] {
        var lines = [
            "\(options.scenario.rawValue): \(options.scenario.summary)",
            world(report, options) + (changes.isEmpty ? "" : "; with " + changes.joined(separator: " ")),
            "reads      \(reads(report.readsSucceeded, of: report.reads))"
                + (report.reads == 0
                    ? ""
                    : ", hops \(report.hopsMedian) (p50) \(report.hops99) (p99), "
                        + "\(decimal(report.requestsMean)) requests each"),
            "values     \(grouped(report.recordsPut - report.recordsLost)) of \(grouped(report.recordsPut)) "
                + "still there, \(counted(report.readsWrong, "read")) wrong",
            "network    \(counted(Int(report.datagrams), "datagram")), \(byteCountText(Int(report.bytes))); "
                + "\(byteCountText(Int(report.bytesPerNodeAndDay))) a node and day",
        ]
        if let convergence = report.convergence {
            let time = convergence.seconds == 0 ? "at once" : "within \(grouped(Int(convergence.seconds))) s"
            lines.append("rest       in the end everybody knew the true closest nodes \(time)")
        }
        lines.append("digest     \(digest(report.traceDigest))")
        return lines + report.violations.map { "broken     \(printable($0.description))" }
    }

    /// Everything on one line, for a world among many.
    static func summary(_ report: SimulationReport) -> String {
        "seed \(report.seed): \(counted(report.nodes, "node")), reads "
            + "\(reads(report.readsSucceeded, of: report.reads)), "
            + "\(grouped(report.recordsLost)) of \(counted(report.recordsPut, "value")) lost, "
            + "\(counted(report.readsWrong, "read")) wrong, digest \(digest(report.traceDigest))"
    }

    /// `1,980 of 2,000 succeeded (99.0 %)`, rounded down: 100 % is all of them.
    static func reads(_ succeeded: Int, of count: Int) -> String {
        guard count > 0 else { return "none" }
        let tenths = succeeded * 1000 / count
        return "\(grouped(succeeded)) of \(grouped(count)) succeeded (\(tenths / 10).\(tenths % 10) %)"
    }

    /// 16 hexadecimal digits.
    static func digest(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// `1 node`, `2,000 nodes`
    static func counted(_ count: Int, _ noun: String) -> String {
        "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")"
    }

    /// `1,234,567`
    static func grouped(_ number: Int) -> String {
        let digits = Array("\(number.magnitude)")
        let groups = stride(from: digits.count, to: 0, by: -3).reversed().map {
            String(digits[max($0 - 3, 0)..<$0])
        }
        return (number < 0 ? "-" : "") + groups.joined(separator: ",")
    }

    private static func decimal(_ number: Double) -> String {
        let tenths = Int((number * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// `1 h`, `90 min`, `10 s`
    private static func time(_ hours: Double) -> String {
        let seconds = Int((hours * 3600).rounded())
        guard seconds % 60 == 0 else { return "\(grouped(seconds)) s" }
        return seconds % 3600 == 0 ? "\(grouped(seconds / 3600)) h" : "\(grouped(seconds / 60)) min"
    }
}
