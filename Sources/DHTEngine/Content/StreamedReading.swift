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
    /// The reading is among those that wait for others.
    var isParked = false

    /// Pieces that wait for the user.
    var count: Int { ready.count }
    /// The user waits, and the next piece is not here.
    var isWaiting: Bool { isPulled && ready[next] == nil }

    mutating func pull() { isPulled = true }
    mutating func supply(_ piece: [UInt8], at index: Int) { ready[index] = piece }

    /// The piece that the user is to get now; `nil`: none.
    mutating func take() -> [UInt8]? {
        guard isPulled, let piece = ready.removeValue(forKey: next) else { return nil }
        next += 1
        isPulled = false
        return piece
    }
}

extension ContentTransfers {
    /// The user is ready for the next piece; `false`: the reading is over, or was never begun.
    mutating func pull(_ id: OperationID, _ turn: inout ContentTurn) -> Bool {
        readings[id]?.outlet?.pull()
        if readings[id]?.outlet == nil { return false }
        if readings[id]?.isLocal == true {
            readOwnPart(of: id, &turn)
        } else {
            pursueStream(id, &turn)
        }
        return true
    }

    /// Whether the next part is to be read from our own store; gives the user the piece that is there.
    mutating func wantsOwnPart(_ id: OperationID, _ turn: inout ContentTurn) -> Bool {
        if let piece = readings[id]?.outlet?.take() { turn.perform(.piece(id, piece)) }
        guard readings[id]?.outlet?.isWaiting == true else { return false }
        guard readings[id]?.outlet?.next == readings[id]?.fetch.reference.pieceCount
        else { return true }
        readings[id] = nil
        endReading(id, [], &turn)
        return false
    }

    /// Gives the user the next piece, and asks peers for those that come after it, as far as there is room.
    mutating func pursueStream(_ id: OperationID, _ turn: inout ContentTurn) {
        let window = streamWindow
        guard var reading = readings.removeValue(forKey: id) else { return }
        guard var outlet = reading.outlet else { return }
        reading.outlet = nil
        if let piece = outlet.take() { turn.perform(.piece(id, piece)) }
        if outlet.isWaiting, outlet.next == reading.fetch.reference.pieceCount {
            return endReading(id, [], &turn)
        }
        if reading.fetch.isDelayed, !reading.isWidened { widen(&reading, &turn) }
        if reading.fetch.isStuck, outlet.isWaiting {
            endChunkCalls(of: .reading(id), &turn)
            return endReading(id, nil, &turn)
        }
        let underWay = reading.fetch.partsUnderWay
        let room = max(window - outlet.count - underWay, 0)
        let mayBegin = underWay > 0 || activeReadings < Self.readingLimit
        if !mayBegin, room > 0, !reading.fetch.isComplete, !outlet.isParked {
            outlet.isParked = true
            waiting.append(.begun(id))
        }
        let chunkRequests = mayBegin ? reading.fetch.nextRequests(limit: room, at: turn.now.instant) : []
        let isIdle = reading.fetch.partsUnderWay == 0
        reading.outlet = outlet
        readings[id] = reading
        for chunkRequest in chunkRequests { ask(chunkRequest, for: .reading(id), &turn) }
        if isIdle { beginWaitingReading(&turn) }
    }
}
