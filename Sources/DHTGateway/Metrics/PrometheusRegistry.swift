import CoreMetrics
import Synchronization

/// Metrics of this process, kept for whoever asks for them as text: Prometheus' exposition format 0.0.4.
///
/// Names and labels are made such as the format allows, whatever they were. Series are never taken out, and
/// there are ``capacity`` of them at most; what is recorded of others is lost, and counted.
package final class PrometheusRegistry: MetricsFactory {
    /// The media type of ``text()``.
    package static let mediaType = "text/plain; version=0.0.4; charset=utf-8"
    /// Series in all; of a histogram, all of its lines together are one.
    static let capacity = 2_000
    /// Counts series that there was no room for, or whose name has another type.
    private static let refusedName = "dht_metric_series_refused_total"

    private struct Family {
        let kind: Kind
        /// By the text of their labels.
        var series: [String: any Series]
    }

    private enum Kind: String {
        case counter, gauge, histogram
    }

    private struct State {
        var families: [String: Family] = [:]
        var count = 0
        var refused: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let helps: [String: String]
    /// Read when the text is made.
    private let process: @Sendable () -> [ProcessFigures.Figure]

    /// - Parameters:
    ///   - helps: A sentence on each metric, by name.
    ///   - process: The figures of this process at this moment.
    package init(
        capacity: Int = capacity,
        helps: [String: String] = MetricTexts.helps,
        process: @escaping @Sendable () -> [ProcessFigures.Figure] = { ProcessFigures.read() }
    ) {
        (self.capacity, self.helps, self.process) = (capacity, helps, process)
    }

    // MARK: MetricsFactory

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { CounterSeries() }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { GaugeSeries() }
    }

    /// One that does not aggregate is a gauge, others are histograms of whole numbers.
    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions, .gauge) { GaugeSeries() } }
        return series(label, dimensions, .histogram) { HistogramSeries(bounds: HistogramSeries.numbers) }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram) { HistogramSeries(bounds: HistogramSeries.seconds) }
    }

    // A series that is gone for a while would look as if it had begun anew.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    private func series<Wanted: Series>(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: Kind,
        _ make: () -> Wanted
    ) -> Wanted {
        let (name, labels) = (ExpositionText.name(label), ExpositionText.labels(dimensions))
        return state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind, series: [:])
            if let known = family.series[labels] as? Wanted, family.kind == kind { return known }
            let made = make()
            guard family.kind == kind, family.series[labels] == nil, state.count < capacity else {
                state.refused += 1
                return made
            }
            family.series[labels] = made
            state.families[name] = family
            state.count += 1
            return made
        }
    }

    // MARK: The text

    /// All metrics at this moment, by name, then labels.
    package func text() -> String {
        let (families, refused) = state.withLock { ($0.families, $0.refused) }
        var texts: [String: String] = [:]
        for (name, family) in families {
            var text = heading(name, family.kind.rawValue)
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name, labels, to: &text)
            }
            texts[name] = text
        }
        let figures = process() + [.init(name: Self.refusedName, isCounter: true, value: Double(refused))]
        for figure in figures {
            let kind: Kind = figure.isCounter ? .counter : .gauge
            var text = heading(figure.name, kind.rawValue)
            ExpositionText.write(figure.name, "", figure.value, to: &text)
            texts[figure.name] = text
        }
        return texts.sorted { $0.key < $1.key }.map(\.value).joined()
    }

    private func heading(_ name: String, _ kind: String) -> String {
        let help = ExpositionText.escape(helps[name] ?? MetricTexts.unknown, quotes: false)
        return "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }
}
