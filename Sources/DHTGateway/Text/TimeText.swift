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

    /// `2026-11-24 14:03:22`, in UTC.
    package static func ofYear(_ seconds: UInt64) -> String {
        // Days since 0000-03-01, in eras of 400 years: a year begins in March, and a leap day is its last.
        let days = Int64(clamping: seconds / 86_400) + 719_468
        let (era, ofEra) = (days / 146_097, days % 146_097)
        let year = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * month + 2) / 5 + 1
        let number = month < 10 ? month + 3 : month - 9
        let date = [UInt64(number), UInt64(day)].map { padded($0, to: 2) }.joined(separator: "-")
        return "\(year + era * 400 + (number <= 2 ? 1 : 0))-\(date) \(ofDay(seconds))"
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
