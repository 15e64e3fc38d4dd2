/// How far we are with leaving: first records are handed over, then everybody is told goodbye.
///
/// ``begin(_:)`` starts it. Once nothing is to be handed over any more ``saysGoodbye()`` says that it is time
/// for that; ``expectAnswer()`` counts each goodbye, and ``answered()`` its answer or the lack of one.
/// ``end()`` says whom to tell when all of it is done.
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

    /// Whether goodbye is still to be said; it is now.
    mutating func saysGoodbye() -> Bool {
        guard !hasSaidGoodbye else { return false }
        hasSaidGoodbye = true
        return true
    }

    mutating func expectAnswer() { goodbyes += 1 }

    mutating func answered() { goodbyes -= 1 }

    /// The operation that is over, if everybody was told.
    mutating func end() -> OperationID? {
        guard goodbyes == 0, let name = operation else { return nil }
        operation = nil
        return name
    }
}
