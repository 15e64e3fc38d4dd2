import CoreMetrics
import Synchronization

/// One metric with one set of labels.
protocol Series: AnyObject, Sendable {
    /// Appends its lines.
    func write(_ name: String, _ labels: String, to text: inout String)
}

/// A number that rises.
final class CounterSeries: Series, CounterHandler {
    private let count = Atomic<UInt64>(0)

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        count.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func reset() { count.store(0, ordering: .relaxed) }

    func write(_ name: String, _ labels: String, to text: inout String) {
        ExpositionText.write(name, labels, Double(count.load(ordering: .relaxed)), to: &text)
    }
}

/// A number that is what it was last said to be.
final class GaugeSeries: Series, RecorderHandler, MeterHandler {
    private let bits = Atomic<UInt64>(Double.zero.bitPattern)

    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func decrement(by amount: Double) { increment(by: -amount) }

    func increment(by amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let result = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if result.exchanged { return }
            old = result.original
        }
    }

    func write(_ name: String, _ labels: String, to text: inout String) {
        ExpositionText.write(name, labels, Double(bitPattern: bits.load(ordering: .relaxed)), to: &text)
    }
}

/// The distribution of many numbers.
final class HistogramSeries: Series, RecorderHandler, TimerHandler {
    /// Upper ends of buckets for durations.
    static let seconds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// Upper ends of buckets for whole numbers.
    static let numbers: [Double] = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100]
    private static let nanosecondsASecond = 1e9

    private struct State {
        /// One more than there are bounds.
        var buckets: [UInt64]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(buckets: [UInt64](repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / Self.nanosecondsASecond) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.buckets[bucket] += 1
            state.sum += value
        }
    }

    func write(_ name: String, _ labels: String, to text: inout String) {
        let (buckets, sum) = state.withLock { ($0.buckets, $0.sum) }
        let before = labels.isEmpty ? "" : labels + ","
        var count: UInt64 = 0
        for (bound, bucket) in zip(bounds + [.infinity], buckets) {
            count += bucket
            let label = "\(before)le=\"\(ExpositionText.number(bound))\""
            ExpositionText.write(name + "_bucket", label, Double(count), to: &text)
        }
        ExpositionText.write(name + "_sum", labels, sum, to: &text)
        ExpositionText.write(name + "_count", labels, Double(count), to: &text)
    }
}
