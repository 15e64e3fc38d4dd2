import Testing

@testable import Charts

@Suite struct ChartTests {
    static let hours = Chart.Axis(label: "Virtual time", unit: "hours")
    static let success = Chart.Axis(label: "Lookups that succeed", unit: "%", covers: 0...100)
    static let hops = Chart.Axis(label: "Lookup length", unit: "hops", covers: 0...0)

    /// Two jagged lines of so many points, and marks where they are wanted.
    static func chart(points: Int, marks: [Chart.Mark] = []) -> Chart {
        var noise = Noise(state: 7)
        return Chart(
            title: "Lookups while a third of the network vanishes",
            subtitle: "500 nodes, seed 7",
            x: hours,
            left: success,
            right: hops,
            series: [
                Chart.Series(
                    side: .left,
                    points: (0..<points).map { Chart.Point(x: Double($0) / 4, y: noise.next(below: 100)) }
                ),
                Chart.Series(
                    side: .right,
                    points: (0..<points).map { Chart.Point(x: Double($0) / 4, y: noise.next(below: 6.2)) }
                ),
            ],
            marks: marks
        )
    }

    /// A chart of one left axis that shows no more than its points need.
    static func plain(_ points: [Chart.Point]) -> Chart {
        let axis = Chart.Axis(label: "Value", unit: "")
        return Chart(title: "", x: hours, left: axis, series: [Chart.Series(side: .left, points: points)])
    }

    static func texts(_ chart: Chart) -> [Drawing.Text] {
        chart.drawing.shapes.compactMap { if case .text(let text) = $0 { text } else { nil } }
    }

    static func polylines(_ chart: Chart) -> [[Drawing.Point]] {
        chart.drawing.shapes.compactMap { if case .polyline(let points, _, _) = $0 { points } else { nil } }
    }
}

extension ChartTests {
    @Test(arguments: [
        (0.0...100.0, ["0", "20", "40", "60", "80", "100"]),
        (0.0...3.2, ["0", "1", "2", "3", "4"]),
        (97.3...99.9, ["97.0", "97.5", "98.0", "98.5", "99.0", "99.5", "100.0"]),
        (-1.0...1.0, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
        (0.1...0.3, ["0.10", "0.15", "0.20", "0.25", "0.30"]),
        (0.0...1e9, ["0", "200000000", "400000000", "600000000", "800000000", "1000000000"]),
    ])
    func `ticks are round and enclose the values`(values: ClosedRange<Double>, labels: [String]) {
        let scale = Chart.Scale.rounded(values, atMost: 6)
        #expect(scale.ticks.map(\.label) == labels)
        #expect(scale.range == scale.ticks[0].value...scale.ticks[scale.ticks.count - 1].value)
    }

    @Test func `a tick's value is what its label says`() {
        for upper in [1e-5, 0.07, 0.9, 1, 3, 42, 777, 1e6] {
            for tick in Chart.Scale.rounded(-upper / 3...upper, atMost: 6).ticks {
                #expect(Double(tick.label.replacing("−", with: "-")) == tick.value)
            }
        }
    }

    @Test func `a rounding error adds no tick`() {
        #expect(Chart.Scale.rounded(0...(100 + 1e-10), atMost: 6).range == 0...100)
        #expect(Chart.Scale.rounded(0.1 + 0.2...0.6, atMost: 3).range == 0.3...0.6)
    }

    @Test func `both value axes have their ticks on one grid`() {
        let chart = Self.chart(points: 60)
        #expect(chart.leftScale.ticks.map(\.label) == ["0", "20", "40", "60", "80", "100"])
        #expect(chart.rightScale.ticks.map(\.label) == ["0", "2", "4", "6", "8", "10"])
    }

    @Test func `time ends with the last point or mark`() {
        let points = [Chart.Point(x: 1, y: 0), Chart.Point(x: 8.5, y: 1)]
        let scale = Self.plain(points).xScale
        #expect(scale.range == 1...8.5)
        #expect(scale.ticks.map(\.label) == ["1", "2", "3", "4", "5", "6", "7", "8"])
        #expect(Self.chart(points: 2, marks: [Chart.Mark(x: 9, label: "")]).xScale.range == 0...9)
    }

    @Test(arguments: [0, 5, -5, 1e-9, 1e9])
    func `a constant series has an axis`(value: Double) {
        let chart = Self.plain([Chart.Point(x: 0, y: value), Chart.Point(x: 1, y: value)])
        let range = chart.leftScale.range
        #expect(range.lowerBound < value && value < range.upperBound)
        #expect(Set(chart.leftScale.ticks.map(\.label)).count == chart.leftScale.ticks.count)
    }

    @Test func `a single point is a dot amid its axes`() {
        let chart = Self.plain([Chart.Point(x: 3, y: 42)])
        #expect(chart.xScale.range == 1.5...4.5)
        let dot = ChartLayout(chart).place(Chart.Point(x: 3, y: 42), .left)
        #expect(Self.polylines(chart).contains([dot]))
    }

    @Test func `an empty series leaves axes and label`() {
        let chart = Chart(
            title: "",
            x: Self.hours,
            left: Self.success,
            series: [.init(side: .left, points: [])]
        )
        #expect(Self.polylines(chart).count == 1)  // the label's sample
        #expect(Self.texts(chart).map(\.string).contains("Lookups that succeed (%)"))
        #expect(chart.leftScale.range == 0...100)
        let bare = Chart(title: "", x: Self.hours, left: .init(label: "", unit: ""), series: [])
        #expect(bare.leftScale.range == 0...1 && bare.xScale.range == 0...1)
    }

    @Test func `what is no number is refused`() async {
        await #expect(processExitsWith: .failure) {
            _ = ChartTests.plain([Chart.Point(x: 0, y: .nan)])
        }
        await #expect(processExitsWith: .failure) {
            _ = ChartTests.plain([Chart.Point(x: .infinity, y: 0)])
        }
    }
}

extension ChartTests {
    @Test func `lines stay inside the plot`() {
        let plot = ChartLayout(Self.chart(points: 500)).plot
        let lines = Self.polylines(Self.chart(points: 500)).filter { $0.count > 2 }
        #expect(lines.map(\.count) == [500, 500])
        for point in lines.joined() {
            #expect(plot.left <= point.x && point.x <= plot.right)
            #expect(plot.top <= point.y && point.y <= plot.bottom)
        }
        #expect(plot.left > 0 && plot.right < 900 && plot.top > 0 && plot.bottom < 480)
    }

    @Test func `a text too long ends in an ellipsis`() {
        let long = String(repeating: "long ", count: 99)
        let axis = Chart.Axis(label: long, unit: "%")
        let chart = Chart(
            title: long,
            subtitle: long,
            x: axis,
            left: axis,
            right: axis,
            series: [.init(name: long, side: .left, points: []), .init(name: long, side: .left, points: [])],
            marks: [.init(x: 1, label: long)]
        )
        let written = Self.texts(chart).filter { $0.string.contains("long") }
        #expect(written.count == 8)
        for text in written {
            #expect(text.string.hasSuffix("…"))
            #expect(TextWidths.width(text.string, size: text.size, bold: text.bold) <= 852)
        }
    }
}

extension ChartTests {
    /// Numbers without order, the same each time.
    struct Noise {
        var state: UInt64

        mutating func next() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }

        mutating func next(below limit: Double) -> Double { Double(next()) / 256 * limit }
    }
}
