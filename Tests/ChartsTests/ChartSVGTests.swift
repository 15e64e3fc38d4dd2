import Testing

@testable import Charts

/// What is in the file, as an XML parser reads it.
struct ChartSVGTests {
    private static let marks = [
        Chart.Mark(x: 3, label: "30 % vanish"), Chart.Mark(x: 9.25, label: "parted"),
    ]

    private static func elements(_ chart: Chart, _ name: String) throws -> [SVGElement] {
        try SVGElement.all(of: chart.svg).filter { $0.name == name }
    }

    @Test func `an SVG is XML with an element for each shape`() throws {
        let chart = ChartTests.chart(points: 9, marks: Self.marks)
        let elements = try SVGElement.all(of: chart.svg)
        let shapes = chart.drawing.shapes.map {
            switch $0 {
            case .rectangle: "rect"
            case .polyline: "polyline"
            case .text: "text"
            }
        }
        #expect(elements.map(\.name) == ["svg", "title", "rect"] + shapes)
        #expect(elements[0]["xmlns"] == "http://www.w3.org/2000/svg")
        #expect(elements[0]["width"] == "900" && elements[0]["height"] == "480")
        #expect(elements[0]["viewBox"] == "0 0 900 480")
        #expect(elements[1].text == chart.title)
        #expect(elements[2]["fill"] == "#ffffff")
        #expect(try elements[2].area() == .init(left: 0, top: 0, right: 900, bottom: 480))
        let strings = elements.filter { $0.name == "text" }.map(\.text)
        #expect(strings.first == chart.title && strings.contains("30 % vanish"))
        #expect(strings == ChartTests.texts(chart).map(\.string))
    }

    @Test func `texts are read as they were given, whatever XML makes of their characters`() throws {
        let text = "<a href=\"x\">Tom & 'Jerry'</a> ]]> &amp; é…"
        let chart = Chart(
            title: text,
            subtitle: "a\u{1}b\nc\u{FFFF}",
            x: ChartTests.hours,
            left: ChartTests.success,
            series: []
        )
        let elements = try SVGElement.all(of: chart.svg)
        #expect(elements[1].name == "title" && elements[1].text == text)
        #expect(
            elements.filter { $0.name == "text" }.prefix(2).map(\.text) == [text, "a\u{FFFD}b c\u{FFFD}"]
        )
        #expect(!elements.contains { $0.name == "a" })
    }

    @Test func `numbers are to the hundredth`() {
        let numbers = [0, 1, 12.5, 0.05, -0.25, 3.999, -0.001, 900].map { SVG.number($0) }
        #expect(numbers == ["0", "1", "12.5", "0.05", "-0.25", "4", "0", "900"])
        #expect(SVG.hexadecimal(Drawing.Colour(0x00_72B2)) == "#0072b2")
    }

    @Test func `each axis has its colour: its numbers, its lines and the legend`() throws {
        let points = [Chart.Point(x: 0, y: 1), Chart.Point(x: 1, y: 5), Chart.Point(x: 2, y: 3)]
        let chart = Chart(
            title: "",
            x: ChartTests.hours,
            left: ChartTests.success,
            right: ChartTests.hops,
            series: [
                .init(side: .left, points: points), .init(name: "mean", side: .right, points: points),
                .init(name: "worst", side: .right, points: points),
            ]
        )
        let lines = try Self.elements(chart, "polyline")
        // The lines in the order of the series, then a sample of each for the legend.
        #expect(try lines.map { try $0.places().count } == [3, 3, 3, 2, 2, 2])
        let (left, right) = (lines[0]["stroke"], lines[1]["stroke"])
        #expect(left != right && left.hasPrefix("#") && right.hasPrefix("#"))
        #expect(lines.map { $0["stroke"] } == [left, right, right, left, right, right])
        #expect(lines.allSatisfy { $0["fill"] == "none" })
        // Two of one axis differ by their width.
        #expect(lines[..<3].map { $0["stroke-width"] } == lines[3...].map { $0["stroke-width"] })
        #expect(try lines[1].number("stroke-width") > lines[2].number("stroke-width"))

        let texts = try Self.elements(chart, "text")
        for (colour, captions) in [
            (left, ["Lookups that succeed (%)"]), (right, ["Lookup length (hops)", "mean", "worst"]),
        ] {
            let found = texts.filter { captions.contains($0.text) }
            #expect(found.map(\.text) == captions && found.allSatisfy { $0["fill"] == colour })
        }
        // The numbers of the left axis end at it, those of the right begin there.
        let plot = ChartLayout(chart).plot
        let numbers = texts.filter { Double($0.text) != nil && $0["text-anchor"] != "middle" }
        #expect(try numbers.count { try $0.number("x") < plot.left } == chart.leftScale.ticks.count)
        for number in numbers {
            #expect(number["fill"] == (try number.number("x") < plot.left ? left : right))
        }
    }

    @Test func `a sample of the line is before its caption`() throws {
        let chart = ChartTests.chart(points: 60)
        let samples = try Self.elements(chart, "polyline").suffix(2).map { try $0.places() }
        let captions = try ["Lookups that succeed (%)", "Lookup length (hops)"].map { caption in
            try #require(try Self.elements(chart, "text").first { $0.text == caption })
        }
        for (sample, caption) in zip(samples, captions) {
            let box = try caption.box()
            #expect(sample.allSatisfy { $0.x < box.left && box.left - $0.x < 40 })
            #expect(sample.allSatisfy { box.top < $0.y && $0.y < box.bottom })
        }
    }

    @Test func `a line along pixels is sharp`() throws {
        let chart = ChartTests.chart(points: 9, marks: Self.marks)
        let areas = try Self.elements(chart, "rect").map { try $0.area() }
        let rules = areas.filter { $0.width == 1 || $0.height == 1 }
        // Grid, ticks of the time, and the marks.
        #expect(rules.count > 12)
        for rule in rules {
            let sides = rule.width == 1 ? [rule.left, rule.right] : [rule.top, rule.bottom]
            #expect(sides.allSatisfy { $0 == $0.rounded() }, "\(rule)")
        }
    }

    @Test func `a single point is a dot`() throws {
        let lines = try Self.elements(ChartTests.plain([Chart.Point(x: 3, y: 42)]), "polyline")
        let places = try lines[0].places()
        // A line to itself, which its round ends make visible.
        #expect(places.count == 2 && places[0] == places[1])
        #expect(lines[0]["stroke-linecap"] == "round")
        #expect(try lines[0].number("stroke-width") > lines[1].number("stroke-width"))
    }

    @Test(arguments: [
        [], [0, 3, 3.2, 5, 11, 14, 14.5, 14.75], [14.75, 14.75, 14.75],
        [0, 0, 0, 0, 14.75, 14.75, 14.75, 14.75],
    ])
    func `texts overlap neither each other nor the edge`(times: [Double]) throws {
        let marks = times.map { Chart.Mark(x: $0, label: "30 % vanish, once more") }
        let texts = try Self.elements(ChartTests.chart(points: 60, marks: marks), "text")
        #expect(texts.count > 20 && texts.filter { $0.text.hasPrefix("30 %") }.count == times.count)
        let boxes = try texts.map { try $0.box() }
        for (index, box) in boxes.enumerated() {
            #expect(box.left >= 0 && box.right <= 900 && box.top >= 0 && box.bottom <= 480)
            for other in boxes[..<index] {
                let apart =
                    box.right < other.left || other.right < box.left || box.bottom < other.top
                    || other.bottom < box.top
                #expect(apart, "\(box) meets \(other)")
            }
        }
    }

    @Test func `the same chart makes the same bytes`() {
        let one = ChartTests.chart(points: 60, marks: Self.marks).svg
        #expect(one == ChartTests.chart(points: 60, marks: Self.marks).svg)
        #expect(one != ChartTests.chart(points: 61, marks: Self.marks).svg)
    }
}
