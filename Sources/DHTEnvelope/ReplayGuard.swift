import DHTCore

/// What one peer has sent before, and so what of it may be a replay. `docs/protocol.md`, section 5.
package struct ReplayGuard: Sendable {
    /// Between answers to old tokenless requests of one peer.
    package static let oldRequestInterval = Span.seconds(30)

    /// How a request is to be treated once it is authenticated.
    package enum Judgement: Hashable, Sendable {
        /// The sender receives where it sends from: the request may change state.
        case live
        /// To be answered, changing nothing.
        case tokenless
        /// To be answered now and then, as it may be a replay: not even the box key it shows is believed.
        case old
        case dropped(DropReason)
    }

    private var highest: UInt64
    private var windows: [(epoch: UInt64, window: ReplayWindow)] = []
    private var lastOldAnswer: Instant?

    /// `start`: the receiver's own start, in microseconds since 1970.
    package init(start: UInt64) { highest = start }

    /// Whether this very counter was accepted before. Changes nothing.
    package func hasSeen(_ counter: UInt64) -> Bool {
        counter == highest || windows.contains { $0.window.contains(counter) }
    }

    /// Judges an authenticated request whose counter has not been seen; `liveEpoch` is the epoch of its token
    /// if that is good. Changes nothing.
    package func judge(_ counter: UInt64, liveEpoch: UInt64?, at now: Instant) -> Judgement {
        if let liveEpoch {
            let window = windows.first { $0.epoch == liveEpoch }?.window
            return window?.isTooOld(counter) == true ? .dropped(.replay) : .live
        }
        if counter > highest { return .tokenless }
        if let lastOldAnswer, now.since(lastOldAnswer) < Self.oldRequestInterval { return .dropped(.stale) }
        return .old
    }

    /// Remembers a request that is being answered. `currentEpoch` lets windows of lapsed epochs go.
    package mutating func commit(_ counter: UInt64, liveEpoch: UInt64?, currentEpoch: UInt64, at now: Instant)
    {
        if let liveEpoch {
            windows.removeAll { $0.epoch &+ 1 < currentEpoch }
            if let index = windows.firstIndex(where: { $0.epoch == liveEpoch }) {
                windows[index].window.mark(counter)
            } else {
                var window = ReplayWindow()
                window.mark(counter)
                windows.append((liveEpoch, window))
            }
        } else if counter < highest {
            // Not marked: a replay from before the sender's clock was set back would make live ones too old.
            lastOldAnswer = now
        }
        highest = max(highest, counter)
    }
}
