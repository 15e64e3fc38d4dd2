/// How far we are with leaving: first records are handed over, then everybody is told goodbye.
///
/// ``begin(_:)`` starts it, ``sayGoodbye(to:)`` once nothing is to be handed over any more, ``answered()``
/// for each goodbye that was answered or not; ``end()`` says whom to tell when all of it is done.
struct Departure: Sendable {
    /// STOREs and PINGs under way at once.
    static let parallelism = 32

    private var operation: OperationID?
    private var hasSaidGoodbye = false
    private var goodbyes = 0

    var isUnderWay: Bool { operation != nil }

    /// `false` if we are leaving already.
    mutating func begin(_ name: OperationID) -> Bool {
        guard operation == nil else { return false }
        operation = name
        hasSaidGoodbye = false
        return true
    }

    /// Whether goodbye is still to be said; it is now, to so many.
    mutating func sayGoodbye(to count: Int) -> Bool {
        guard !hasSaidGoodbye else { return false }
        hasSaidGoodbye = true
        goodbyes += count
        return true
    }

    mutating func answered() { goodbyes -= 1 }

    /// The operation that is over, if everybody was told.
    mutating func end() -> OperationID? {
        guard goodbyes == 0, let name = operation else { return nil }
        operation = nil
        return name
    }
}
