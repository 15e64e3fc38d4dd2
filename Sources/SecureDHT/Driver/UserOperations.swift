import DHTCore
import DHTEngine
import NIOCore

// The operations that users ask of a node: each from its beginning to its end, or until nobody waits for it.

extension NodeLoop {
    /// Runs an operation to its end, until the task is cancelled, or until `deadline`. However it ends, the
    /// node works on it no more. `turn`: of a put whose turn was taken.
    ///
    /// None of the ends by the user waits for the loop, which may have much to do.
    nonisolated func run(
        _ operation: DHTEngine.Operation,
        turn: OperationID? = nil,
        until deadline: Instant? = nil
    ) async -> Ending {
        let user = WaitingUser(operation, began: SystemClock.now.instant)
        if let deadline, deadline <= user.began { return .timedOut }
        let timer = deadline.map { deadline in
            Task {
                try await Task.sleep(for: .nanoseconds(deadline.since(user.began).nanoseconds))
                leave(user, .timedOut)
            }
        }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard user.wait(by: continuation) else { return }
                eventLoop.execute { self.assumeIsolated { $0.admit(user, as: turn) } }
            }
        } onCancel: {
            leave(user, .cancelled)
        }
    }

    /// The user waits no more.
    private nonisolated func leave(_ user: WaitingUser, _ ending: Ending) {
        guard user.end(ending) else { return }
        eventLoop.execute {
            self.assumeIsolated { loop in
                loop.measure(user, ending)
                guard let id = user.id, loop.users.take(id) != nil else { return }
                loop.withdraw(id)
                loop.beginWaiting()
            }
        }
    }

    func measure(_ user: WaitingUser, _ ending: Ending) {
        metrics.record(user.operation, ending, after: SystemClock.now.instant.since(user.began))
    }

    /// Takes the turn of a put whose value has still to come: see ``run(_:turn:until:)``, and ``giveUp(_:)``.
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

    /// Hands over and says goodbye; does not look whether the task is cancelled.
    func leave() async {
        let user = WaitingUser(.leave, began: SystemClock.now.instant)
        _ = await withCheckedContinuation { continuation in
            if user.wait(by: continuation) { admit(user, as: nil) }
        }
    }

    private func admit(_ user: WaitingUser, as turn: OperationID?) {
        guard !user.hasEnded else { return }
        guard !isStopping else {
            user.end(.stopped)
            return
        }
        let id = turn ?? users.newOperation()
        user.id = id
        if users.wait(for: id, user) { begin(user.operation, as: id) }
    }

    private func begin(_ operation: DHTEngine.Operation, as id: OperationID) {
        var turn = EngineTurn(at: SystemClock.now)
        sockets.userAsks(at: turn.now.instant)
        engine.submit(operation, as: id, in: &turn)
        perform(&turn)
    }

    /// Begins operations that waited for the end of others.
    func beginWaiting() {
        guard users.isAnyUnbegun, !users.isBeginning, !isStopping else { return }
        users.isBeginning = true
        defer { users.isBeginning = false }
        while let next = users.next() { begin(next.operation, as: next.id) }
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
        begin(.read(record, from: contacts), as: id)
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
