// Arithmetic on times that stops at the ends instead of trapping or beginning anew: a calendar may say 1970,
// 2106 or anything else, and jump. Times are computed with these and no others: `Tests/TidyTests` sees to it.

infix operator +| : AdditionPrecedence
infix operator -| : AdditionPrecedence
infix operator *| : MultiplicationPrecedence

extension UInt64 {
    /// The sum, or the greatest number there is.
    package static func +| (lhs: UInt64, rhs: UInt64) -> UInt64 {
        let (sum, isTooMuch) = lhs.addingReportingOverflow(rhs)
        return isTooMuch ? .max : sum
    }

    /// The difference, or zero.
    package static func -| (lhs: UInt64, rhs: UInt64) -> UInt64 { lhs > rhs ? lhs &- rhs : 0 }

    /// The product, or the greatest number there is.
    package static func *| (lhs: UInt64, rhs: UInt64) -> UInt64 {
        let (product, isTooMuch) = lhs.multipliedReportingOverflow(by: rhs)
        return isTooMuch ? .max : product
    }
}
