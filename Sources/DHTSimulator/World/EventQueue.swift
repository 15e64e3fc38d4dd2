import DHTCore
import HeapModule

/// Events to come, earliest first; of two at one moment the one that was entered first.
package struct EventQueue<Event> {
    private struct Waiting: Comparable {
        let at: UInt64
        let number: UInt64
        let event: Event

        static func < (lhs: Self, rhs: Self) -> Bool { (lhs.at, lhs.number) < (rhs.at, rhs.number) }
        static func == (lhs: Self, rhs: Self) -> Bool { lhs.number == rhs.number }
    }

    private var heap = Heap<Waiting>()
    private var inserted: UInt64 = 0

    package init() {}

    var count: Int { heap.count }
    package var nextTime: Instant? { heap.min.map { Instant(nanoseconds: $0.at) } }

    package mutating func insert(_ event: Event, at moment: Instant) {
        inserted += 1
        heap.insert(Waiting(at: moment.nanoseconds, number: inserted, event: event))
    }

    package mutating func popFirst() -> (at: Instant, event: Event)? {
        heap.popMin().map { (Instant(nanoseconds: $0.at), $0.event) }
    }
}
