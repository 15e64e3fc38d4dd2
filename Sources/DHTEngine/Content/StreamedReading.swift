import DHTCore
import DHTEnvelope

// Long values that are read as their users take them: little of them is here at any time.

/// Pieces of a value on their way to its user, who asks for one after the other.
struct ReadingOutlet: Sendable {
    /// Pieces that came before it was their turn.
    private var ready: [Int: [UInt8]] = [:]
    /// The next piece the user gets.
    private(set) var next = 0
    /// The user asked for a piece and has not got it.
    private var isPulled = false
    /// It is among those that wait for others.
    var isParked = false

    /// Pieces that wait for the user.
    var count: Int { ready.count }
    /// The user waits, and what is next is not here.
    var isWaiting: Bool { isPulled && ready[next] == nil }

    mutating func pull() { isPulled = true }
    mutating func supply(_ piece: [UInt8], at index: Int) { ready[index] = piece }

    /// What the user is to get now.
    mutating func take() -> [UInt8]? {
        guard isPulled, let piece = ready.removeValue(forKey: next) else { return nil }
        next += 1
        isPulled = false
        return piece
    }
}

extension GatedEngine where Keeper: ~Copyable {
    /// The user of a value that is read piece by piece is ready for the next one: `piece` tells it, or
    /// `finished` that there is none. Until then nothing is to be pulled. `false`: it is over, or was never
    /// begun.
    package mutating func pull(_ id: OperationID, at now: Now, into actions: inout [EngineAction]) -> Bool {
        transfers.readings[id]?.outlet?.pull()
        if transfers.readings[id]?.outlet == nil { return false }
        if transfers.readings[id]?.isLocal == true {
            readOwnPart(of: id, at: now, into: &actions)
        } else {
            pursueStream(id, at: now, into: &actions)
        }
        return true
    }

    /// Whether the next part is to be read from our own store; gives the user what is there.
    mutating func wantsOwnPart(_ id: OperationID, at now: Now, into actions: inout [EngineAction]) -> Bool {
        if let piece = transfers.readings[id]?.outlet?.take() { actions.append(.piece(id, piece)) }
        guard transfers.readings[id]?.outlet?.isWaiting == true else { return false }
        guard transfers.readings[id]?.outlet?.next == transfers.readings[id]?.fetch.reference.pieceCount
        else { return true }
        transfers.readings[id] = nil
        endReading(id, [], at: now, into: &actions)
        return false
    }

    /// Gives the user what is its turn, and asks peers for what comes after it, as far as there is room.
    mutating func pursueStream(_ id: OperationID, at now: Now, into actions: inout [EngineAction]) {
        let window = transfers.streamWindow
        guard var reading = transfers.readings.removeValue(forKey: id) else { return }
        guard var outlet = reading.outlet else { return }
        reading.outlet = nil
        if let piece = outlet.take() { actions.append(.piece(id, piece)) }
        if outlet.isWaiting, outlet.next == reading.fetch.reference.pieceCount {
            return endReading(id, [], at: now, into: &actions)
        }
        if reading.fetch.isStuck, !reading.isWidened { widen(&reading, at: now) }
        if reading.fetch.isStuck, outlet.isWaiting {
            endChunkCalls(of: .reading(id))
            return endReading(id, nil, at: now, into: &actions)
        }
        let underWay = reading.fetch.partsUnderWay
        let room = max(window - outlet.count - underWay, 0)
        let mayBegin = underWay > 0 || transfers.activeReadings < Transfers.readingLimit
        if !mayBegin, room > 0, !reading.fetch.isComplete, !outlet.isParked {
            outlet.isParked = true
            transfers.waiting.append(.begun(id))
        }
        let wishes = mayBegin ? reading.fetch.nextWishes(limit: room, at: now.instant) : []
        let isIdle = reading.fetch.partsUnderWay == 0
        reading.outlet = outlet
        transfers.readings[id] = reading
        for wish in wishes { ask(wish, for: .reading(id), at: now, into: &actions) }
        if isIdle { beginWaitingReading(at: now, into: &actions) }
    }
}
