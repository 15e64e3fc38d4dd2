import DHTCore
import HeapModule

/// Events to come, earliest first; of two at one moment the one that was entered first.
struct EventQueue<Event> {
    /// The heap moves these about, so they are short: an event stays where it was put.
    private struct Waiting: Comparable {
        let at: UInt64
        let number: UInt64
        let place: Int

        static func < (lhs: Self, rhs: Self) -> Bool {
            lhs.at == rhs.at ? lhs.number < rhs.number : lhs.at < rhs.at
        }
        static func == (lhs: Self, rhs: Self) -> Bool { lhs.number == rhs.number }
    }

    private var heap = Heap<Waiting>()
    private var events: [Event?] = []
    private var freePlaces: [Int] = []
    private var inserted: UInt64 = 0

    var count: Int { heap.count }
    var nextTime: Instant? { heap.min.map { Instant(nanoseconds: $0.at) } }

    mutating func insert(_ event: Event, at moment: Instant) {
        inserted += 1
        let place = freePlaces.popLast() ?? events.count
        if place == events.count { events.append(event) } else { events[place] = event }
        heap.insert(Waiting(at: moment.nanoseconds, number: inserted, place: place))
    }

    mutating func popFirst() -> (at: Instant, event: Event)? {
        guard let first = heap.popMin() else { return nil }
        guard let event = events[first.place].take() else { preconditionFailure("an event is gone") }
        freePlaces.append(first.place)
        return (Instant(nanoseconds: first.at), event)
    }
}
