import DHTCore
import DHTEngine

// The operations that users ask of a node: each from its beginning to its end, or until nobody waits for it.

extension NodeLoop {
    /// Runs an operation to its end; `nil` if the node stopped before, or the task was cancelled, with which
    /// the operation ends as well. `turn`: of a put whose turn was taken.
    func run(_ operation: DHTEngine.Operation, turn: OperationID? = nil) async -> Outcome? {
        let id = turn ?? users.newOperation()
        return await withTaskCancellationHandler {
            Task.isCancelled ? nil : await run(operation, as: id)
        } onCancel: {
            eventLoop.execute { self.assumeIsolated { $0.cancel(id) } }
        }
    }

    /// Takes the turn of a put whose value has still to come: see ``run(_:turn:)``, and ``giveUp(_:)``.
    func reserveWrite(of key: [UInt8]) -> OperationID {
        let id = users.newOperation()
        engine.reserveWrite(id, of: key, at: SystemClock.now)
        return id
    }

    /// Writes that have their turn.
    var openWrites: Int { engine.openWrites }

    /// Ends the turn of a write that no put came of. A put that is under way with that turn goes on.
    nonisolated func giveUp(_ write: OperationID) {
        eventLoop.execute {
            self.assumeIsolated { loop in
                if !loop.users.isWaiting(for: write) { loop.withdraw(write) }
            }
        }
    }

    func run(_ operation: DHTEngine.Operation, as id: OperationID) async -> Outcome? {
        guard !isStopping else { return nil }
        return await withCheckedContinuation { continuation in
            users.wait(for: id, continuation)
            var turn = EngineTurn(at: SystemClock.now)
            sockets.userAsks(at: turn.now.instant)
            engine.submit(operation, as: id, in: &turn)
            perform(&turn)
        }
    }

    private func cancel(_ id: OperationID) {
        guard let user = users.take(id) else { return }
        user.resume(returning: nil)
        withdraw(id)
    }

    /// Nobody waits for the operation any more.
    private func withdraw(_ id: OperationID) {
        var turn = EngineTurn(at: SystemClock.now)
        engine.cancel(id, in: &turn)
        perform(&turn)
    }

    // MARK: Values piece by piece

    /// Begins to read a long value; its pieces come by ``pull(_:)``, until ``endReading(_:)``.
    func beginReading(_ record: Record, from contacts: [Contact]) -> OperationID {
        let id = users.newOperation()
        guard !isStopping else { return id }
        var turn = EngineTurn(at: SystemClock.now)
        sockets.userAsks(at: turn.now.instant)
        engine.submit(.read(record, from: contacts), as: id, in: &turn)
        perform(&turn)
        return id
    }

    /// The next piece. One at a time.
    func pull(_ id: OperationID) async -> Pulled {
        await withTaskCancellationHandler {
            guard !isStopping, !Task.isCancelled, !users.isPulling(id) else { return .stopped }
            return await withCheckedContinuation { continuation in
                users.pull(id, continuation)
                var turn = EngineTurn(at: SystemClock.now)
                guard engine.pull(id, in: &turn) else {
                    users.deliver(.stopped, of: id)
                    return
                }
                perform(&turn)
            }
        } onCancel: {
            endReading(id)
        }
    }

    /// The rest of the value is not wanted.
    nonisolated func endReading(_ id: OperationID) {
        eventLoop.execute {
            self.assumeIsolated { loop in
                loop.users.deliver(.stopped, of: id)
                loop.withdraw(id)
            }
        }
    }
}
