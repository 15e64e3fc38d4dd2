/// Where everything in a chart goes. The SVG is made of its `drawing`.
///
/// From the top: the headings; the axes' labels, each with a sample of its lines; the marks' labels, in as
/// many rows as keep them apart; the plot; the numbers and the label of the x axis.
struct ChartLayout {
    private enum Ink {
        static let heading = Drawing.Colour(0x22_2222)
        static let quiet = Drawing.Colour(0x5F_5F5F)
        static let baseline = Drawing.Colour(0x8C_8C8C)
        static let mark = Drawing.Colour(0x9A_9A9A)
        static let grid = Drawing.Colour(0xE6_E6E6)
        /// Blue and vermilion, which every kind of colour vision tells apart, dark enough for text on white.
        static let left = Drawing.Colour(0x00_72B2)
        static let right = Drawing.Colour(0xC4_4E00)
    }

    /// A mark's label, which begins or, towards the right edge, ends at its line.
    private struct Flag {
        let x: Double
        let label: String
        let width: Double
        let endsAtLine: Bool
        /// 0 is next to the plot.
        var row = 0

        var left: Double { endsAtLine ? x - width : x }

        func meets(_ other: Flag) -> Bool {
            row == other.row && left < other.left + other.width && other.left < left + width
        }
    }

    private static let size = (width: 900.0, height: 480.0)
    private static let margin = 24.0
    private static let text = 12.0
    private static let small = 11.0
    private static let rowHeight = 17.0
    private static let plotBottom = 420.5

    private let chart: Chart
    private let (xScale, left, right): (Chart.Scale, Chart.Scale, Chart.Scale)
    private let labelsBaseline: Double
    private var flags: [Flag] = []
    /// The rectangle of lines and grid. Its edges lie on pixels' middles, so hairlines are sharp.
    private(set) var plot: Drawing.Rectangle
    private(set) var drawing = Drawing(width: Int(size.width), height: Int(size.height))

    init(_ chart: Chart) {
        self.chart = chart
        (xScale, left, right) = (chart.xScale, chart.leftScale, chart.rightScale)
        labelsBaseline = chart.subtitle.isEmpty ? 72 : 90
        plot = Drawing.Rectangle(
            left: Self.crisp(Self.margin + Self.widest(left) + 10),
            top: 0,
            right: Self.crisp(
                Self.size.width - Self.margin - (chart.right == nil ? 0 : Self.widest(right) + 10)
            ),
            bottom: Self.plotBottom
        )
        flags = placedFlags()
        let rows = flags.map { $0.row + 1 }.max() ?? 0
        plot.top = Self.crisp(labelsBaseline + 18 + Double(rows) * Self.rowHeight)
        addHeadings()
        addGrid()
        addTimes()
        addFlags()
        chart.series.enumerated().forEach { addLine($0.element, width: lineWidth($0.offset)) }
        addAxisLabel(.left)
        addAxisLabel(.right)
    }

    /// Where in the plot a point of a series is.
    func place(_ point: Chart.Point, _ side: Chart.Side) -> Drawing.Point {
        let scale = side == .left ? left : right
        return Drawing.Point(x: column(point.x), y: row(scale.fraction(point.y)))
    }

    private func column(_ time: Double) -> Double { plot.left + xScale.fraction(time) * plot.width }

    private func row(_ fraction: Double) -> Double { plot.bottom - fraction * plot.height }

    private static func crisp(_ length: Double) -> Double { length.rounded(.down) + 0.5 }

    private static func widest(_ scale: Chart.Scale) -> Double {
        scale.ticks.map { TextWidths.width($0.label, size: text) }.max() ?? 0
    }

    private static func colour(_ side: Chart.Side) -> Drawing.Colour { side == .left ? Ink.left : Ink.right }

    /// The first line of an axis is heavy, the second light.
    private func lineWidth(_ index: Int) -> Double {
        chart.series[..<index].contains { $0.side == chart.series[index].side } ? 1.25 : 2.25
    }
}

extension ChartLayout {
    private mutating func write(
        _ string: String,
        _ colour: Drawing.Colour,
        x: Double,
        y: Double,
        _ anchor: Drawing.Anchor = .start,
        size: Double = text,
        bold: Bool = false
    ) {
        guard !string.isEmpty else { return }
        let room = Self.size.width - 2 * Self.margin
        drawing.add(
            .text(
                Drawing.Text(
                    string: TextWidths.fitting(string, size: size, bold: bold, width: room),
                    place: Drawing.Point(x: x, y: y),
                    anchor: anchor,
                    size: size,
                    bold: bold,
                    colour: colour
                )
            )
        )
    }

    /// A line of one point's width, level or upright, through the middle of pixels.
    private mutating func rule(
        _ left: Double,
        _ top: Double,
        _ right: Double,
        _ bottom: Double,
        _ colour: Drawing.Colour
    ) {
        let ends = Drawing.Rectangle(
            left: left - 0.5,
            top: top - 0.5,
            right: right + 0.5,
            bottom: bottom + 0.5
        )
        drawing.add(.rectangle(ends, colour))
    }

    private mutating func addHeadings() {
        write(chart.title, Ink.heading, x: Self.margin, y: 38, size: 18, bold: true)
        write(chart.subtitle, Ink.quiet, x: Self.margin, y: 59)
    }

    private mutating func addGrid() {
        for (index, tick) in left.ticks.enumerated() {
            let y = Self.crisp(row(left.fraction(tick.value)))
            rule(plot.left, y, plot.right, y, index == 0 ? Ink.baseline : Ink.grid)
            write(tick.label, Ink.left, x: plot.left - 10, y: y + 4, .end)
            if chart.right != nil {
                write(right.ticks[index].label, Ink.right, x: plot.right + 10, y: y + 4)
            }
        }
    }

    private mutating func addTimes() {
        for tick in xScale.ticks {
            let x = Self.crisp(column(tick.value))
            rule(x, plot.bottom, x, plot.bottom + 5, Ink.baseline)
            write(tick.label, Ink.quiet, x: x, y: plot.bottom + 19.5, .middle)
        }
        let middle = (plot.left + plot.right) / 2
        write(Self.caption(chart.x), Ink.quiet, x: middle, y: plot.bottom + 41.5, .middle)
    }

    private mutating func addLine(_ series: Chart.Series, width: Double) {
        guard !series.points.isEmpty else { return }
        let places = series.points.map { place($0, series.side) }
        drawing.add(
            .polyline(places, width: places.count == 1 ? 3 * width : width, Self.colour(series.side))
        )
    }
}

extension ChartLayout {
    /// "Lookups that succeed (%)".
    private static func caption(_ axis: Chart.Axis) -> String {
        axis.unit.isEmpty ? axis.label : "\(axis.label) (\(axis.unit))"
    }

    /// The caption above an axis, in its colour: it stands next to a sample of the line, and if there are two
    /// lines, so do their names.
    private mutating func addAxisLabel(_ side: Chart.Side) {
        guard let axis = chart.axis(side) else { return }
        let (sample, gap, room) = (22.0, 7.0, Self.size.width / 2 - Self.margin - 12)
        let lines = chart.series.indices.filter { chart.series[$0].side == side }
        var entries: [(line: Int?, text: String)]
        if lines.count == 1 {
            entries = [(lines[0], Self.caption(axis))]
        } else {
            entries = [(nil, Self.caption(axis))] + lines.map { ($0, chart.series[$0].name) }
        }
        func width(_ entry: (line: Int?, text: String)) -> Double {
            (entry.line == nil ? 0 : sample + gap) + TextWidths.width(entry.text, size: Self.text)
        }
        let share = room / Double(entries.count) - sample - 3 * gap
        if entries.reduce(0, { $0 + width($1) + 2 * gap }) > room {
            entries = entries.map {
                ($0.line, TextWidths.fitting($0.text, size: Self.text, width: share))
            }
        }
        let total = entries.reduce(-2 * gap) { $0 + width($1) + 2 * gap }
        var x = side == .left ? Self.margin : Self.size.width - Self.margin - total
        for entry in entries {
            let end = x + width(entry)
            if let line = entry.line {
                let y = labelsBaseline - 4.5
                let ends = [Drawing.Point(x: x + 1, y: y), Drawing.Point(x: x + sample - 1, y: y)]
                drawing.add(.polyline(ends, width: lineWidth(line), Self.colour(side)))
                x += sample + gap
            }
            write(entry.text, Self.colour(side), x: x, y: labelsBaseline)
            x = end + 2 * gap
        }
    }

    /// From right to left, each in the lowest row it has to itself: a label lies right of its line, so lines
    /// to higher rows pass lower labels by.
    private func placedFlags() -> [Flag] {
        var placed: [Flag] = []
        for mark in chart.marks.sorted(by: { ($0.x, $0.label) > ($1.x, $1.label) }) {
            let x = Self.crisp(column(mark.x))
            let room = max(x, Self.size.width - x) - Self.margin - 16
            let label = TextWidths.fitting(mark.label, size: Self.small, width: room)
            let width = TextWidths.width(label, size: Self.small) + 16
            let endsAtLine = x + width > Self.size.width - Self.margin
            var flag = Flag(x: x, label: label, width: width, endsAtLine: endsAtLine)
            while placed.contains(where: flag.meets) { flag.row += 1 }
            placed.append(flag)
        }
        return placed
    }

    private mutating func addFlags() {
        func baseline(_ flag: Flag) -> Double { plot.top - 7.5 - Double(flag.row) * Self.rowHeight }
        for flag in flags { rule(flag.x, baseline(flag) - 8, flag.x, plot.bottom, Ink.mark) }
        for flag in flags where !flag.label.isEmpty {
            let y = baseline(flag)
            let (from, to) =
                flag.endsAtLine
                ? (flag.x - flag.width + 6, flag.x - 3) : (flag.x + 3, flag.x + flag.width - 6)
            // Should a line pass here after all, it goes behind.
            let ground = Drawing.Rectangle(left: from, top: y - 10, right: to, bottom: y + 3)
            drawing.add(.rectangle(ground, .white))
            let anchor: Drawing.Anchor = flag.endsAtLine ? .end : .start
            let x = flag.endsAtLine ? flag.x - 6 : flag.x + 6
            write(flag.label, Ink.heading, x: x, y: y, anchor, size: Self.small)
        }
    }
}

extension Chart {
    /// The chart as shapes.
    var drawing: Drawing { ChartLayout(self).drawing }
}
