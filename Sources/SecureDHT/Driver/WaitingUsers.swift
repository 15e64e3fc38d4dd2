import DHTCore
import DHTEngine
import DequeModule

/// How an operation ended for its user.
enum Ending: Sendable {
    case outcome(Outcome)
    /// The user's task was cancelled.
    case cancelled
    /// The user's time was over.
    case timedOut
    /// The node stopped.
    case stopped
}

/// Users that wait for ends of operations, pieces of values or an open socket. Each is resumed once.
///
/// So many operations are under way at a time; further ones wait for their turn, in the order in which they
/// came.
struct WaitingUsers {
    private var window: OperationWindow
    private var operations: [OperationID: WaitingUser] = [:]
    /// Operations that were not begun yet.
    private var unbegun: Set<OperationID> = []
    /// Their order, in which those stand as well whose users are gone.
    private var backlog: Deque<OperationID> = []
    /// Whether the backlog is being worked on, so that it is not once more in the midst of that.
    var isBeginning = false
    private var pulls: [OperationID: CheckedContinuation<Pulled, Never>] = [:]
    private var listeners: [CheckedContinuation<Void, Never>] = []
    private var stopWatchers: [AsyncStream<Never>.Continuation] = []
    private var names: UInt64 = 0

    /// `limit`: of operations under way at a time.
    init(limit: Int) { window = OperationWindow(limit: limit) }

    /// A name that no operation had.
    mutating func newOperation() -> OperationID {
        names += 1
        return .user(names)
    }

    // MARK: Operations

    /// Whether somebody waits for the end of an operation.
    var isAnyWaiting: Bool { !operations.isEmpty }
    func isWaiting(for id: OperationID) -> Bool { operations[id] != nil }

    /// Whether operations wait to be begun.
    var isAnyUnbegun: Bool { !unbegun.isEmpty }
    /// Operations that wait for their turn.
    var unbegunCount: Int { unbegun.count }
    /// Operations under way.
    var begunCount: Int { operations.count - unbegun.count }

    /// A user waits for the end of an operation. `false`: it is not to be begun yet; see ``next()``.
    mutating func wait(for id: OperationID, _ user: WaitingUser) -> Bool {
        var isBegun = begunCount < window.size
        // A node that stops does not wait for those who use it.
        if case .leave = user.operation { isBegun = true }
        operations[id] = user
        guard !isBegun else { return true }
        backlog.append(id)
        unbegun.insert(id)
        return false
    }

    /// The next operation that is to be begun now; `nil` if there is none, or too many are under way.
    mutating func next() -> (id: OperationID, operation: DHTEngine.Operation)? {
        while begunCount < window.size, let id = backlog.popFirst() {
            if unbegun.remove(id) != nil, let user = operations[id] { return (id, user.operation) }
        }
        return nil
    }

    /// The user that waits for the operation, `nil` if none does. It waits no more: the caller ends it.
    mutating func take(_ id: OperationID) -> WaitingUser? {
        if unbegun.remove(id) == nil, isAnyUnbegun { window.grow() }
        return operations.removeValue(forKey: id)
    }

    /// So many requests have been sent again since the node began.
    mutating func look(retransmissions count: UInt64, at now: Instant) {
        window.look(retransmissions: count, at: now)
    }

    // MARK: Pieces of values

    func isPulling(_ id: OperationID) -> Bool { pulls[id] != nil }

    /// A user waits for the next piece: one at a time.
    mutating func pull(_ id: OperationID, _ user: CheckedContinuation<Pulled, Never>) { pulls[id] = user }

    /// Resumes the user that waits for a piece of the value, if one does.
    mutating func deliver(_ pulled: Pulled, of id: OperationID) {
        pulls.removeValue(forKey: id)?.resume(returning: pulled)
    }

    // MARK: Sockets

    mutating func waitForSocket(_ user: CheckedContinuation<Void, Never>) { listeners.append(user) }

    /// A socket is open, or none ever will be.
    mutating func endWaitForSocket() {
        for listener in listeners { listener.resume() }
        listeners = []
    }

    // MARK: The end

    /// A user waits until the node stops.
    mutating func waitForEnd(_ user: AsyncStream<Never>.Continuation) { stopWatchers.append(user) }

    /// The node stops: operations end without an outcome, in the order in which they began.
    mutating func abandonOperations() {
        let abandoned = operations.sorted { $0.key < $1.key }.map(\.value)
        (operations, unbegun, backlog) = ([:], [], [])
        for user in abandoned { user.end(.stopped) }
        for user in pulls.values { user.resume(returning: .stopped) }
        pulls = [:]
        for watcher in stopWatchers { watcher.finish() }
        stopWatchers = []
    }
}
