import DHTCore

/// How the network treats datagrams.
package struct NetworkConditions: Hashable, Sendable {
    /// How long a datagram is under way, before chance adds to it.
    package enum Delay: Hashable, Sendable {
        /// Anything in the range alike, in milliseconds.
        case uniform(ClosedRange<UInt64>)
        /// So many milliseconds at least; half of all take no more than twice that, and each doubling of it
        /// is half as likely, up to 64 times.
        case heavyTailed(UInt64)
        /// Nodes lie on a plane: two of them are up to so many milliseconds apart, always the same.
        case plane(UInt64)
    }

    package var delay = Delay.uniform(5...40)
    /// The probability that a datagram is lost; delivered twice; has bits flipped or an end cut off; is
    /// overtaken by up to a second's worth of others. Each 0…1.
    package var loss = 0.0
    package var duplication = 0.0
    package var corruption = 0.0
    package var reordering = 0.0
    /// Longer datagrams are lost, in bytes; `nil`: none are.
    package var mtu: Int?

    package init() {}

    /// How long one datagram takes between two nodes.
    func delay(from source: Int, to destination: Int, using chance: inout SeededRandom) -> Interval {
        var result: Interval
        switch delay {
        case .uniform(let range): result = .milliseconds(chance.span(in: range))
        case .heavyTailed(let least):
            let doublings = UInt64(min(chance.next().leadingZeroBitCount, 6))
            let floor = Interval.milliseconds(least) * (1 << doublings)
            result = floor + Interval(nanoseconds: UInt64.random(in: 0...floor.nanoseconds, using: &chance))
        case .plane(let across):
            let distance = Self.distance(source, destination)
            let jitter = chance.span(in: 0...50)
            result = Interval.microseconds(across * 1000 * distance / 2048 + 200 + jitter * across / 2)
        }
        if chance.happens(reordering) { result = result + .milliseconds(chance.span(in: 1...1000)) }
        return result
    }

    /// How far apart two nodes lie on a torus of 1024 × 1024: 0…1024, along streets.
    private static func distance(_ source: Int, _ destination: Int) -> UInt64 {
        let (from, to) = (SeededRandom.mix(UInt64(source) &+ 1), SeededRandom.mix(UInt64(destination) &+ 1))
        func along(_ shift: UInt64) -> UInt64 {
            let (left, right) = (from >> shift & 1023, to >> shift & 1023)
            let straight = left > right ? left - right : right - left
            return min(straight, 1024 - straight)
        }
        return along(0) + along(20)
    }
}
