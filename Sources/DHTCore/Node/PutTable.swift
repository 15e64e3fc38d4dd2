/// A record that we pass on for a peer that has one family only, and those that wait for that.
struct Relay: Sendable {
    /// At once.
    static let limit = 64

    let digest: Digest
    fileprivate(set) var clients: [RequestID]
}

/// Puts under way, by their names: those of users, our own, and those that others asked us to pass on.
///
/// The node changes a put through its name; what a put then wants is in its answer. One that has copies
/// enough and may wait for the rest is told of with ``awaitEnd(at:)``, and handed out by ``takeDue(at:)``.
struct PutTable: Sendable {
    private var puts: [OperationID: PutOperation] = [:]
    private var relays: [OperationID: Relay] = [:]
    /// When the first of the puts that have copies enough is over.
    private(set) var nextEnd = Instant(nanoseconds: .max)

    var isEmpty: Bool { puts.isEmpty }
    var relayCount: Int { relays.count }

    subscript(name: OperationID) -> PutOperation? {
        get { puts[name] }
        _modify { yield &puts[name] }
    }

    /// Whether this very record is being put.
    func isUnderWay(_ attempt: PutAttempt) -> Bool {
        puts[attempt.operation]?.record.digest == attempt.record
    }

    mutating func begin(_ put: PutOperation, as name: OperationID) { puts[name] = put }

    /// The put is over, or wanted no more. Returns whom it was for, if others asked for it.
    mutating func end(_ name: OperationID) -> (put: PutOperation, relay: Relay?)? {
        guard let put = puts.removeValue(forKey: name) else { return nil }
        return (put, relays.removeValue(forKey: name))
    }

    // MARK: Time

    mutating func awaitEnd(at instant: Instant) { nextEnd = min(nextEnd, instant) }

    /// Puts that have copies enough, if the first of them is over: each is to be looked at.
    mutating func takeDue(at now: Instant) -> [OperationID] {
        guard nextEnd <= now else { return [] }
        nextEnd = Instant(nanoseconds: .max)
        return puts.filter { $0.value.deadline != nil }.keys.sorted()
    }

    // MARK: Relays

    /// The put of this name is for a peer that asked for it.
    mutating func relay(_ digest: Digest, as name: OperationID, for client: RequestID) {
        relays[name] = Relay(digest: digest, clients: [client])
    }

    /// Whether the record is passed on already; then one more waits for that.
    mutating func joinRelay(of digest: Digest, _ client: RequestID) -> Bool {
        guard let name = relays.first(where: { $0.value.digest == digest })?.key else { return false }
        relays[name]?.clients.append(client)
        return true
    }
}
