import DequeModule

/// The last datagrams that were turned away, each with a number.
struct LastRejections: Sendable {
    /// Datagrams that are remembered.
    static let capacity = 256

    private var entries: Deque<RejectedDatagram> = []
    private var count: UInt64 = 0

    mutating func record(_ make: (_ number: UInt64) -> RejectedDatagram) {
        if entries.count == Self.capacity { entries.removeFirst() }
        entries.append(make(count))
        count += 1
    }

    /// Those with this number or a higher one, the oldest first.
    func from(_ number: UInt64) -> [RejectedDatagram] { entries.filter { $0.number >= number } }
}
