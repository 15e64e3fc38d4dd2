/// Durations as people type them: `90s`, `10m`, `24h`, `7d`, or plain seconds.
package enum DurationText {
    /// Seconds of `text`, within `range`.
    package static func seconds(
        _ text: String,
        in range: ClosedRange<UInt32>,
        for option: String
    ) throws(Failure) -> UInt32 {
        guard let seconds = seconds(text) else {
            throw Failure(
                .invalidArgument,
                "\(option): \"\(text)\" is no duration. Write 90s, 10m, 24h, 7d or plain seconds"
            )
        }
        guard let value = UInt32(exactly: seconds), range.contains(value) else {
            throw Failure(
                .invalidArgument,
                "\(option): \(text) is outside \(range.lowerBound) to \(range.upperBound) seconds"
            )
        }
        return value
    }

    /// Seconds of `text`; `nil` if it is no duration.
    package static func seconds(_ text: String) -> UInt64? {
        let factors: [Character: UInt64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        var digits = text[...]
        var factor: UInt64 = 1
        if let unit = digits.last.flatMap({ factors[$0] }) {
            factor = unit
            digits.removeLast()
        }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let count = UInt64(digits)
        else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }
}
