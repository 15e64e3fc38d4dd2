import DHTCore

/// All events, summed up in one number, and told line by line to a sink.
///
/// Two runs with one digest went through the same events at the same times. It does not cover the bytes of
/// sealed datagrams: box keys and challenges come from libsodium, and differ from run to run.
struct Trace {
    private(set) var digest: UInt64 = 0
    private(set) var events: UInt64 = 0
    /// Takes lines without their ends.
    var listener: ((String) -> Void)?

    /// Takes in one event of so many words.
    mutating func record(_ at: Instant, _ first: UInt64, _ second: UInt64 = 0) {
        events += 1
        digest =
            SeededRandom.mix(SeededRandom.mix(digest ^ at.nanoseconds) &+ first)
            &+ SeededRandom.mix(second ^ first)
    }

    /// Tells of an event; the text is made only if somebody listens.
    func tell(_ at: Instant, _ text: () -> String) {
        guard let listener else { return }
        listener("\(Self.seconds(at)) \(text())")
    }

    /// Seconds with six decimals: `12.034567`.
    static func seconds(_ instant: Instant) -> String {
        let microseconds = instant.nanoseconds / 1000
        let fraction = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }
}

/// Something that must never happen, and did.
package struct Violation: Hashable, Sendable, CustomStringConvertible {
    /// Virtual nanoseconds since the beginning.
    package let at: UInt64
    /// Which promise: `durability`, `authenticity`, …
    package let checker: String
    package let text: String

    package var description: String {
        "\(checker) at \(Trace.seconds(Instant(nanoseconds: at))) s: \(text)"
    }
}
