extension Chart {
    /// A place on an axis that has a number.
    struct Tick: Hashable {
        let value: Double
        let label: String
    }

    /// How far one tick is from the next: 1, 2 or 5 times a power of ten.
    struct TickStep: Hashable {
        /// 1, 2 or 5.
        private(set) var mantissa: Int
        /// From −8 to 10.
        private(set) var exponent: Int

        /// The first that is long enough. Coordinates are bounded, so in the end one is.
        static func least(where suffices: (TickStep) -> Bool) -> TickStep {
            var step = TickStep(mantissa: 1, exponent: -8)
            while !suffices(step) { step = step.next }
            return step
        }

        var size: Double { value(1) }

        private var next: TickStep {
            switch mantissa {
            case 1: TickStep(mantissa: 2, exponent: exponent)
            case 2: TickStep(mantissa: 5, exponent: exponent)
            default: TickStep(mantissa: 1, exponent: exponent + 1)
            }
        }

        /// So many steps from zero. Powers of ten up to 22 are exact, so this is the nearest number there is.
        func value(_ steps: Int) -> Double {
            let power = (0..<abs(exponent)).reduce(1.0) { power, _ in power * 10 }
            let digits = Double(steps * mantissa)
            return exponent < 0 ? digits / power : digits * power
        }

        /// The last step at or below `value`, but for rounding errors: 0.3 / 0.1 is 3 steps, not 2.
        func steps(below value: Double) -> Int { Int((value / size + 1e-9).rounded(.down)) }

        /// The first step at or above `value`, but for rounding errors.
        func steps(above value: Double) -> Int { Int((value / size - 1e-9).rounded(.up)) }

        /// The value of so many steps in decimal, as many places for all of them.
        func label(_ steps: Int) -> String {
            let digits = String((steps * mantissa).magnitude)
            let sign = steps < 0 ? "\u{2212}" : ""
            guard exponent < 0 else {
                return sign + digits + String(repeating: "0", count: steps == 0 ? 0 : exponent)
            }
            let padded = String(repeating: "0", count: max(0, 1 - exponent - digits.count)) + digits
            return sign + padded.dropLast(-exponent) + "." + padded.suffix(-exponent)
        }

        func ticks(_ steps: ClosedRange<Int>) -> [Tick] {
            steps.map { Tick(value: value($0), label: label($0)) }
        }
    }

    /// The values an axis shows, from end to end, and its ticks in rising order.
    struct Scale: Hashable {
        let range: ClosedRange<Double>
        let ticks: [Tick]

        /// Ends where `values` do, with at most `limit` steps between ticks.
        static func exact(_ values: ClosedRange<Double>, atMost limit: Int) -> Scale {
            let range = widened(values)
            func inner(_ step: TickStep) -> (first: Int, last: Int) {
                (step.steps(above: range.lowerBound), step.steps(below: range.upperBound))
            }
            let step = TickStep.least { inner($0).last - inner($0).first <= limit }
            return Scale(range: range, ticks: step.ticks(inner(step).first...inner(step).last))
        }

        /// Begins and ends at a tick and has at most `limit` steps.
        static func rounded(_ values: ClosedRange<Double>, atMost limit: Int) -> Scale {
            let (step, steps) = outer(values, atMost: limit)
            return Scale(step, steps)
        }

        /// Begins and ends at a tick and has just so many steps, to share a grid; spare ones are on top.
        static func rounded(_ values: ClosedRange<Double>, exactly count: Int) -> Scale {
            let (step, steps) = outer(values, atMost: count)
            return Scale(step, steps.lowerBound...steps.lowerBound + count)
        }
    }
}

extension Chart.Scale {
    private init(_ step: Chart.TickStep, _ steps: ClosedRange<Int>) {
        self.init(
            range: step.value(steps.lowerBound)...step.value(steps.upperBound),
            ticks: step.ticks(steps)
        )
    }

    /// The shortest step of which at most `limit` reach around all of `values`.
    private static func outer(
        _ values: ClosedRange<Double>,
        atMost limit: Int
    ) -> (step: Chart.TickStep, steps: ClosedRange<Int>) {
        let range = widened(values)
        func steps(_ step: Chart.TickStep) -> ClosedRange<Int> {
            step.steps(below: range.lowerBound)...step.steps(above: range.upperBound)
        }
        let step = Chart.TickStep.least { steps($0).upperBound - steps($0).lowerBound <= limit }
        return (step, steps(step))
    }

    /// How far along the axis a value is: 0 at the beginning, 1 at the end and beyond.
    func fraction(_ value: Double) -> Double {
        min(max((value - range.lowerBound) / (range.upperBound - range.lowerBound), 0), 1)
    }

    /// All of `values`, and around them half as much again either side if they are, or nearly are, one: an
    /// axis needs some length, and its numbers need to differ in their first six digits.
    private static func widened(_ values: ClosedRange<Double>) -> ClosedRange<Double> {
        let (lower, upper) = (values.lowerBound, values.upperBound)
        let magnitude = max(lower.magnitude, upper.magnitude)
        guard upper - lower < max(magnitude, 1) * 1e-6 else { return values }
        let room = magnitude < 1e-6 ? 1 : magnitude / 2
        return lower - room...upper + room
    }
}

extension Chart {
    /// Time, from the first point, mark or covered value to the last.
    var xScale: Scale {
        let points = series.flatMap { $0.points.map(\.x) } + marks.map(\.x)
        return .exact(Self.range(of: points, and: x.covers), atMost: 12)
    }

    /// The scale of the left axis.
    var leftScale: Scale { .rounded(range(.left), atMost: 6) }

    /// The scale of the right axis, with as many steps as the left has.
    var rightScale: Scale { .rounded(range(.right), exactly: leftScale.ticks.count - 1) }

    private func range(_ side: Side) -> ClosedRange<Double> {
        let points = series.filter { $0.side == side }.flatMap { $0.points.map(\.y) }
        return Self.range(of: points, and: axis(side)?.covers)
    }

    /// All of them; from 0 to 1 if there are none.
    private static func range(of values: [Double], and covers: ClosedRange<Double>?) -> ClosedRange<Double> {
        let all = values + (covers.map { [$0.lowerBound, $0.upperBound] } ?? [])
        guard let least = all.min(), let greatest = all.max() else { return 0...1 }
        return least...greatest
    }
}
