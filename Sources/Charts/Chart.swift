/// A line chart over virtual time: values on a left and, if wanted, a right axis, and the moments at which
/// something happened. `svg` draws it, 900 × 480 points large.
///
/// The same chart makes the same bytes everywhere.
package struct Chart: Hashable, Sendable {
    /// The meaning, the unit and the range of the values along one edge.
    package struct Axis: Hashable, Sendable {
        /// Such as "Lookups that succeed".
        package var label: String
        /// Such as "%"; it follows the label in parentheses. Empty: a bare number.
        package var unit: String
        /// Values the axis shows in any case; points outside widen it. `nil`: no more than the points need.
        package var covers: ClosedRange<Double>?

        /// An axis, which shows at least the values it `covers`.
        package init(label: String, unit: String, covers: ClosedRange<Double>? = nil) {
            (self.label, self.unit, self.covers) = (label, unit, covers)
        }
    }

    /// A value at a time.
    package struct Point: Hashable, Sendable {
        /// In the unit of the chart's x axis.
        package var x: Double
        /// In the unit of the axis its series belongs to.
        package var y: Double

        /// Both finite and at most `Chart.greatest` either side of zero: the chart checks it.
        package init(x: Double, y: Double) { (self.x, self.y) = (x, y) }
    }

    /// Which of the two value axes.
    package enum Side: Hashable, Sendable { case left, right }

    /// Points that a line joins in the order given.
    package struct Series: Hashable, Sendable {
        /// Tells apart the series of one axis; one alone goes by the axis's label.
        package var name: String
        /// The axis that measures it.
        package var side: Side
        /// Any number: none draws nothing, one a dot.
        package var points: [Point]

        /// A line of `points` against the axis of `side`.
        package init(name: String = "", side: Side, points: [Point]) {
            (self.name, self.side, self.points) = (name, side, points)
        }
    }

    /// A moment at which something happened: a vertical line with a label.
    package struct Mark: Hashable, Sendable {
        /// In the unit of the chart's x axis.
        package var x: Double
        /// Such as "30 % vanish".
        package var label: String

        /// A line at `x`, finite and at most `Chart.greatest` either side of zero: the chart checks it.
        package init(x: Double, label: String) { (self.x, self.label) = (x, label) }
    }

    /// No coordinate is further from zero.
    package static let greatest = 1e9
    /// More lines of one axis, all of its colour, could not be told apart.
    package static let seriesOfOneAxis = 2
    /// More labels would leave no room for the lines.
    package static let mostMarks = 8

    /// The heading.
    package let title: String
    /// A second, quieter line of heading, such as the seed and the number of nodes; may be empty.
    package let subtitle: String
    /// Time.
    package let x: Axis
    /// The axis that the grid belongs to.
    package let left: Axis
    /// Its ticks are on the same grid.
    package let right: Axis?
    /// At most `seriesOfOneAxis` a side.
    package let series: [Series]
    /// At most `mostMarks`.
    package let marks: [Mark]

    /// A chart.
    ///
    /// - Precondition: all coordinates are finite and at most `greatest` either side of zero; series and
    ///   marks are within their limits; there is a right axis if a series belongs to it.
    package init(
        title: String,
        subtitle: String = "",
        x: Axis,
        left: Axis,
        right: Axis? = nil,
        series: [Series],
        marks: [Mark] = []
    ) {
        (self.title, self.subtitle, self.x, self.left, self.right) = (title, subtitle, x, left, right)
        (self.series, self.marks) = (series, marks)
        for side in [Side.left, .right] {
            let count = series.count { $0.side == side }
            precondition(
                count <= Self.seriesOfOneAxis,
                "\(count) series on the \(side) axis, the limit is \(Self.seriesOfOneAxis)"
            )
            precondition(count == 0 || axis(side) != nil, "a series without a \(side) axis")
        }
        precondition(marks.count <= Self.mostMarks, "\(marks.count) marks, the limit is \(Self.mostMarks)")
        let covered = [x, left, right].compactMap { $0?.covers }
        let coordinates =
            series.flatMap { $0.points.flatMap { [$0.x, $0.y] } } + marks.map(\.x)
            + covered.flatMap { [$0.lowerBound, $0.upperBound] }
        for coordinate in coordinates {
            // NaN fails this too.
            precondition(coordinate.magnitude <= Self.greatest, "a coordinate is \(coordinate)")
        }
    }

    /// The axis of that side.
    func axis(_ side: Side) -> Axis? { side == .left ? left : right }
}
