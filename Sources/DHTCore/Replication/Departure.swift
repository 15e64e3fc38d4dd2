/// How far we are with leaving: first records are handed over, then everybody is told goodbye.
///
/// ``begin(_:owes:)`` starts it, and ``contactWent()`` counts who is gone by then. Once nothing is to be
/// handed over any more ``saysGoodbye(at:)`` says that it is time for that; ``expectAnswer()`` counts each
/// goodbye, and ``answered()`` its answer or the lack of one. ``end(at:)`` says whom to tell when all of it
/// is done, or ``patience`` is over.
struct Departure: Sendable {
    /// STOREs and PINGs under way at once.
    static let parallelism = 32
    /// Answers to goodbyes are waited for so long. A goodbye spares others the work to find out, and is worth
    /// no more: its peer may be gone as well, and then there is no answer.
    static let patience = Interval.milliseconds(500)

    private var operation: OperationID?
    /// Some contact may lack records that others gave to all who were to have them.
    private(set) var owes = false
    /// Contacts that have gone since we began to leave.
    private(set) var gone = 0
    private var goodbyes = 0
    /// The end of our patience; `nil`: no goodbye was said yet.
    private(set) var deadline: Instant?

    var isUnderWay: Bool { operation != nil }

    /// `owes`: there are contacts to whom we were about to give records. `false` if we are leaving already.
    mutating func begin(_ name: OperationID, owes: Bool) -> Bool {
        guard operation == nil else { return false }
        (operation, self.owes, gone) = (name, owes, 0)
        deadline = nil
        return true
    }

    mutating func contactWent() { gone += 1 }

    /// Whether goodbye is still to be said; it is now.
    mutating func saysGoodbye(at now: Instant) -> Bool {
        guard deadline == nil else { return false }
        deadline = now + Self.patience
        return true
    }

    mutating func expectAnswer() { goodbyes += 1 }

    mutating func answered() { goodbyes -= 1 }

    /// The operation that is over, if everybody was told, or may not have been.
    mutating func end(at now: Instant) -> OperationID? {
        guard let name = operation, let deadline, goodbyes == 0 || deadline <= now else { return nil }
        operation = nil
        return name
    }
}
