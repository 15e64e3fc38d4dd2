import DHTCore

/// What will happen when, earliest first; of two at one moment the one that was entered first.
struct EventQueue<Event> {
    private var waiting: [(at: Instant, event: Event)] = []  // the next one at the end

    var isEmpty: Bool { waiting.isEmpty }
    var nextTime: Instant? { waiting.last?.at }

    mutating func insert(_ event: Event, at moment: Instant) {
        var range = waiting.startIndex..<waiting.endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if waiting[middle].at > moment {
                range = middle + 1..<range.upperBound
            } else {
                range = range.lowerBound..<middle
            }
        }
        waiting.insert((moment, event), at: range.lowerBound)
    }

    mutating func popFirst() -> (at: Instant, event: Event)? { waiting.popLast() }
}
