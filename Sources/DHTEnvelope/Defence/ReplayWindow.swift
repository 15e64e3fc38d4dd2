/// Which of the last 1024 counters of one sender were seen: a bitmap that slides with the highest. (RFC
/// 6479.)
///
/// It says what was seen; it does not authenticate, expire, or know clocks.
package struct ReplayWindow: Sendable {
    /// Counters remembered below and including the top.
    package static let size: UInt64 = 1024
    /// One word more than the window, so that the word the top lies in may be partly ahead of it.
    private static let wordCount = 32

    private var words = [UInt64](repeating: 0, count: wordCount)
    /// The highest counter marked; `nil` before the first.
    package private(set) var top: UInt64?

    package init() {}

    /// A window in which `floor` and all counters below it count as seen.
    package init(through floor: UInt64) {
        words = [UInt64](repeating: .max, count: Self.wordCount)
        words[Self.word(floor)] = .max >> (63 - floor & 63)
        top = floor
    }

    /// Whether `counter` is new: neither marked nor below all that is remembered.
    package func isNew(_ counter: UInt64) -> Bool { !contains(counter) && !isTooOld(counter) }

    /// Whether `counter` was marked and is still remembered.
    package func contains(_ counter: UInt64) -> Bool {
        guard let top, counter <= top, top - counter < Self.size else { return false }
        return words[Self.word(counter)] & Self.bit(counter) != 0
    }

    /// Whether `counter` lies below all the window remembers.
    package func isTooOld(_ counter: UInt64) -> Bool {
        guard let top, counter < top else { return false }
        return top - counter >= Self.size
    }

    /// Remembers `counter`. Too old a one is ignored.
    package mutating func mark(_ counter: UInt64) {
        guard !isTooOld(counter) else { return }
        if let top {
            if counter > top { clear(after: top, through: counter) }
        }
        top = max(top ?? counter, counter)
        words[Self.word(counter)] |= Self.bit(counter)
    }

    /// Remembers all that the other one does.
    package mutating func mark(_ other: ReplayWindow) {
        guard let last = other.top else { return }
        for counter in (last - min(last, Self.size - 1))...last where other.contains(counter) {
            mark(counter)
        }
    }

    private mutating func clear(after top: UInt64, through counter: UInt64) {
        let first = top >> 6
        let steps = min((counter >> 6) - first, UInt64(Self.wordCount))
        guard steps > 0 else { return }
        for step in 1...steps { words[Int((first &+ step) % UInt64(Self.wordCount))] = 0 }
    }

    private static func word(_ counter: UInt64) -> Int { Int((counter >> 6) % UInt64(wordCount)) }
    private static func bit(_ counter: UInt64) -> UInt64 { 1 << (counter & 63) }
}
