import DHTCore
import HeapModule

/// Events to come, earliest first; of two at one moment the one that was entered first.
struct EventQueue<Event> {
    private struct Waiting: Comparable {
        let at: UInt64
        let number: UInt64
        let event: Event

        static func < (lhs: Self, rhs: Self) -> Bool { (lhs.at, lhs.number) < (rhs.at, rhs.number) }
        static func == (lhs: Self, rhs: Self) -> Bool { lhs.number == rhs.number }
    }

    private var heap = Heap<Waiting>()
    private var inserted: UInt64 = 0

    var count: Int { heap.count }
    var nextTime: Instant? { heap.min.map { Instant(nanoseconds: $0.at) } }

    mutating func insert(_ event: Event, at moment: Instant) {
        inserted += 1
        heap.insert(Waiting(at: moment.nanoseconds, number: inserted, event: event))
    }

    mutating func popFirst() -> (at: Instant, event: Event)? {
        heap.popMin().map { (Instant(nanoseconds: $0.at), $0.event) }
    }
}
