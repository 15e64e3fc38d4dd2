import CoreMetrics
import Testing

@testable import DHTGateway

/// Metrics as Prometheus reads them.
struct PrometheusTests {
    private func registry(capacity: Int = PrometheusRegistry.capacity) -> PrometheusRegistry {
        PrometheusRegistry(capacity: capacity, helps: ["a_total": "One\\two\nlines \"quoted\"."]) { [] }
    }

    /// The text without the line of the registry's own counter.
    private func lines(_ registry: PrometheusRegistry, of name: String) -> [String] {
        registry.text().split(separator: "\n").map { String($0) }
            .filter { line in ["", "# HELP ", "# TYPE "].contains { line.hasPrefix($0 + name) } }
    }

    @Test func `a counter has help, type and its labels in their order`() {
        let registry = registry()
        let dimensions = [("z", "1"), ("b", "2")]
        Counter(label: "a_total", dimensions: dimensions, factory: registry).increment(by: 7)
        Counter(label: "a_total", dimensions: dimensions.reversed(), factory: registry).increment()
        Counter(label: "a_total", dimensions: [("a", "x")], factory: registry).increment(by: -5)
        #expect(
            lines(registry, of: "a_total") == [
                #"# HELP a_total One\\two\nlines "quoted"."#, "# TYPE a_total counter",
                #"a_total{a="x"} 0"#, #"a_total{b="2",z="1"} 8"#,
            ]
        )
    }

    @Test func `hostile labels stay within their quotes`() {
        let registry = registry()
        let hostile = "a\"} 1\nevil_total 99\n# \\"
        Counter(label: "a_total", dimensions: [("reason", hostile)], factory: registry).increment()
        let text = registry.text()
        #expect(text.contains(#"a_total{reason="a\"} 1\nevil_total 99\n# \\"} 1"# + "\n"))
        #expect(!text.split(separator: "\n").contains { $0.hasPrefix("evil") })
    }

    @Test(arguments: [
        ("1é", "_1_"), ("", "_"), ("a b", "a_b"), ("x\n1", "x_1"), ("a:b", "a:b"), ("a.b-c", "a_b_c"),
    ])
    func `names become such as the format allows`(name: String, wanted: String) {
        #expect(ExpositionText.name(name) == wanted)
    }

    @Test(arguments: [("le", "label_le"), ("__name__", "label___name__"), ("a:b", "a_b"), ("1", "_1")])
    func `names of labels do so too`(name: String, wanted: String) {
        #expect(ExpositionText.labels([(name, "v")]) == "\(wanted)=\"v\"")
    }

    @Test func `a label's value is cut between characters, and its name is there once`() {
        let long = String(repeating: "é", count: 200)
        let text = ExpositionText.labels([("a", long), ("a", "second"), ("a ", "third")])
        #expect(text == "a=\"\(String(repeating: "é", count: 128))\",a_=\"third\"")
    }

    @Test func `a histogram counts from the shortest on`() {
        let registry = registry()
        let timer = Timer(label: "t_seconds", dimensions: [("o", "x")], factory: registry)
        for nanoseconds: Int64 in [500_000, 500_001, 2_000_000_000, 61_000_000_000] {
            timer.recordNanoseconds(nanoseconds)
        }
        let found = lines(registry, of: "t_seconds")
        #expect(found.count == 2 + HistogramSeries.seconds.count + 3)
        #expect(found[1] == "# TYPE t_seconds histogram")
        #expect(found[2] == #"t_seconds_bucket{o="x",le="0.0005"} 1"#)
        #expect(found[3] == #"t_seconds_bucket{o="x",le="0.001"} 2"#)
        #expect(found.contains(#"t_seconds_bucket{o="x",le="60"} 3"#))
        #expect(found.contains(#"t_seconds_bucket{o="x",le="+Inf"} 4"#))
        #expect(found.contains(#"t_seconds_sum{o="x"} 63.001000001"#))
        #expect(found.last == #"t_seconds_count{o="x"} 4"#)
    }

    @Test func `whole numbers have bounds of their own`() {
        let registry = registry()
        Recorder(label: "hops", factory: registry).record(3)
        #expect(lines(registry, of: "hops").contains(#"hops_bucket{le="3"} 1"#))
        #expect(lines(registry, of: "hops").contains(#"hops_bucket{le="2"} 0"#))
    }

    @Test func `gauges and meters are what they were last said to be`() {
        let registry = registry()
        Gauge(label: "g", factory: registry).record(2.5)
        let meter = Meter(label: "m", factory: registry)
        meter.set(10)
        meter.increment(by: 2.5)
        meter.decrement(by: 0.5)
        #expect(lines(registry, of: "g").last == "g 2.5")
        #expect(lines(registry, of: "m").last == "m 12")
        Gauge(label: "g", factory: registry).record(-Double.infinity)
        #expect(lines(registry, of: "g").last == "g -Inf")
        Gauge(label: "g", factory: registry).record(Double.nan)
        #expect(lines(registry, of: "g").last == "g NaN")
    }

    @Test func `series are bounded, and those refused are counted`() {
        let registry = registry(capacity: 3)
        for number in 0..<10 {
            Counter(label: "a_total", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        Gauge(label: "a_total", factory: registry).record(1)
        #expect(lines(registry, of: "a_total").count == 2 + 3)
        let refused = "dht_metric_series_refused_total"
        #expect(lines(registry, of: refused).last == "\(refused) 8")
    }

    @Test func `nothing is lost when many threads count`() async {
        let registry = registry()
        let (tasks, times) = (8, 2_000)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    for _ in 0..<times {
                        Counter(label: "a_total", factory: registry).increment()
                        Timer(label: "t", factory: registry).recordNanoseconds(1)
                        Meter(label: "m", factory: registry).increment()
                    }
                }
            }
        }
        #expect(lines(registry, of: "a_total").last == "a_total \(tasks * times)")
        #expect(lines(registry, of: "t").last == "t_count \(tasks * times)")
        #expect(lines(registry, of: "m").last == "m \(tasks * times)")
    }

    @Test func `two texts of one state are the same`() {
        let registry = registry()
        for number in 0..<50 {
            Counter(label: "c\(number)", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        let text = registry.text()
        #expect(text == registry.text())
        let names = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
        #expect(names == names.sorted() && names.count == 51)
    }

    // MARK: The process

    @Test func `the system's figures are read behind a name of any kind`() {
        let before = "17 (a b) 9 (c) S 1 1 1 0 -1 4194304 100 0 0 0 "
        let text = before + "150 50 0 0 20 0 12 0 3000 1000000 25 18446"
        let figures = ProcessFigures.figures(status: text, ticks: 100, page: 4096, boot: 1_000)
        let values = Dictionary(uniqueKeysWithValues: figures.map { ($0.name, $0.value) })
        #expect(
            values == [
                "process_cpu_seconds_total": 2, "process_threads": 12, "process_start_time_seconds": 1_030,
                "process_resident_memory_bytes": 25 * 4096,
            ]
        )
        #expect(ProcessFigures.figures(status: "17 (a) S 1", ticks: 100, page: 1, boot: 0).isEmpty)
        #expect(ProcessFigures.figures(status: "", ticks: 100, page: 1, boot: 0).isEmpty)
    }

    @Test func `this process has figures`() {
        let values = Dictionary(uniqueKeysWithValues: ProcessFigures.read().map { ($0.name, $0.value) })
        #expect(values.count == 6)
        #expect(values["process_threads", default: 0] >= 1)
        #expect(values["process_open_fds", default: 0] >= 3)
        #expect(values["process_max_fds", default: 0] >= values["process_open_fds", default: 0])
        #expect(values["process_resident_memory_bytes", default: 0] > 1_000_000)
    }
}
