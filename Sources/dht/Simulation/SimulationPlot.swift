import Charts
import DHTGateway
import DHTSimulator
import Glibc

/// How reads fared over virtual time, as an SVG file.
struct SimulationPlot {
    let path: String

    /// Checks what can be wrong before there is something to draw.
    init(_ path: String) throws(Failure) {
        let ending = path.suffix(4).lowercased()
        guard ending != ".png" else {
            let svg = "\(path.dropLast(4)).svg"
            throw Failure(
                .invalidArgument,
                "--plot: charts are SVG, and \(path) ends in .png. Give \(shellQuoted(svg)), and convert it: "
                    + "rsvg-convert -o \(shellQuoted(path)) \(shellQuoted(svg))"
            )
        }
        guard ending == ".svg" else {
            throw Failure(.invalidArgument, "--plot: charts are SVG, and \(path) does not end in .svg")
        }
        self.path = path
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        guard unsafe access(folder, W_OK | X_OK) == 0 else {
            throw FileBytes.failure(path, "cannot be written")
        }
    }

    func write(_ report: SimulationReport, of options: SimulationOptions) throws(Failure) {
        try FileBytes.replaceFile(path, with: Array(Self.chart(report, options).svg.utf8))
    }

    /// Success on the left, hops on the right.
    private static func chart(_ report: SimulationReport, _ options: SimulationOptions) -> Chart {
        let slices = report.slices(within: options.hours).filter { $0.reads > 0 }
        return Chart(
            title: "\(options.scenario.rawValue): \(options.scenario.summary)",
            subtitle: SimulationText.world(report, options),
            x: Chart.Axis(label: "Virtual time", unit: "h", covers: 0...options.hours),
            left: Chart.Axis(label: "Reads that succeed", unit: "%", covers: 0...100),
            right: Chart.Axis(label: "Hops of a read, mean", unit: "", covers: 0...4),
            series: [
                Chart.Series(
                    side: .left,
                    points: slices.map {
                        Chart.Point(x: $0.hour, y: 100 * Double($0.succeeded) / Double($0.reads))
                    }
                ),
                Chart.Series(side: .right, points: slices.map { Chart.Point(x: $0.hour, y: $0.hopsMean) }),
            ],
            marks: report.marks.prefix(Chart.mostMarks).map { Chart.Mark(x: $0.hour, label: $0.label) }
        )
    }
}

extension SimulationReport {
    /// The slices of the time that was asked for. Reads after it, made to see whether everything is still
    /// there, say nothing of how reads fared while things went wrong.
    func slices(within hours: Double) -> [Slice] { slices.filter { $0.hour <= hours } }
}
