import DHTCore
import DHTEngine

/// Users that wait for ends of operations, pieces of values or an open socket. Each is resumed once.
struct WaitingUsers {
    private var operations: [OperationID: CheckedContinuation<Outcome?, Never>] = [:]
    private var pulls: [OperationID: CheckedContinuation<Pulled, Never>] = [:]
    private var listeners: [CheckedContinuation<Void, Never>] = []
    private var names: UInt64 = 0

    /// A name that no operation had.
    mutating func newOperation() -> OperationID {
        names += 1
        return .user(names)
    }

    // MARK: Operations

    /// Whether somebody waits for the end of an operation.
    var isAnyWaiting: Bool { !operations.isEmpty }
    func isWaiting(for id: OperationID) -> Bool { operations[id] != nil }

    mutating func wait(for id: OperationID, _ user: CheckedContinuation<Outcome?, Never>) {
        operations[id] = user
    }

    /// The user that waits for the operation, `nil` if none does. It waits no more: the caller resumes it.
    mutating func take(_ id: OperationID) -> CheckedContinuation<Outcome?, Never>? {
        operations.removeValue(forKey: id)
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

    /// The node stops: operations end without an outcome, in the order in which they began.
    mutating func abandonOperations() {
        let abandoned = operations.sorted { $0.key < $1.key }.map(\.value)
        operations = [:]
        for user in abandoned { user.resume(returning: nil) }
        for user in pulls.values { user.resume(returning: .stopped) }
        pulls = [:]
    }
}
