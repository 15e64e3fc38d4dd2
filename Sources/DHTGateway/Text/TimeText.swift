/// Times as people read them.
package enum TimeText {
    /// `14:03:22`, of the day in UTC.
    ///
    /// - Parameter seconds: Since 1970.
    package static func ofDay(_ seconds: UInt64) -> String {
        [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map { padded($0, to: 2) }.joined(
            separator: ":"
        )
    }

    /// `14:03:22.125`.
    static func ofDay(milliseconds: UInt64) -> String {
        ofDay(milliseconds / 1000) + "." + padded(milliseconds % 1000, to: 3)
    }

    private static func padded(_ number: UInt64, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
