import DHTGateway
import DHTSimulator
import Glibc

/// How reads fared over virtual time, as a picture in a file.
struct SimulationPlot {
    private enum Format: String, CaseIterable { case svg, png }

    let path: String
    private let format: Format

    /// Checks what can be wrong before there is something to draw.
    init(_ path: String) throws(Failure) {
        let ending = path.split(separator: ".").last.map { $0.lowercased() } ?? ""
        guard let format = Format(rawValue: ending), path.hasSuffix(".\(path.suffix(ending.count))") else {
            throw Failure(.invalidArgument, "--plot: \(path) ends neither in .svg nor in .png")
        }
        (self.path, self.format) = (path, format)
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        guard unsafe access(folder, W_OK | X_OK) == 0 else {
            throw FileBytes.failure(path, "cannot be written")
        }
    }

    func write(_ report: SimulationReport, of options: SimulationOptions) throws(Failure) {
        let chart = Self.chart(report, options)
        let bytes =
            switch format {
            case .svg: Array(chart.svg.utf8)
            case .png: chart.png
            }
        try FileBytes.replaceFile(path, with: bytes)
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
    /// The slices of the time that was asked for. What is read after it, to see whether everything is still
    /// there, says nothing of how reads fared while things went wrong.
    func slices(within hours: Double) -> [Slice] { slices.filter { $0.hour <= hours } }
}
