import DHTCore
import DHTEngine
import Synchronization

/// A user that waits for the end of an operation. It is resumed once, by whoever is first: the loop with an
/// outcome, or anybody when the user's task is cancelled or its time is over, whatever the loop does then.
final class WaitingUser: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Ending, Never>)
        /// Nobody was waiting yet.
        case ended(Ending)
        case resumed
    }

    let operation: DHTEngine.Operation
    let began: Instant
    private let state = Mutex(State.idle)
    private let name = Mutex<OperationID?>(nil)

    init(_ operation: DHTEngine.Operation, began: Instant) {
        (self.operation, self.began) = (operation, began)
    }

    /// The name of the operation, once it has one.
    var id: OperationID? {
        get { name.withLock { $0 } }
        set { name.withLock { $0 = newValue } }
    }

    var hasEnded: Bool {
        state.withLock { state in
            switch state {
            case .idle, .waiting: false
            case .ended, .resumed: true
            }
        }
    }

    /// Waits from here on. `false`: it was over before, and the continuation was resumed.
    func wait(by continuation: CheckedContinuation<Ending, Never>) -> Bool {
        let ending = state.withLock { state -> Ending? in
            guard case .ended(let ending) = state else {
                state = .waiting(continuation)
                return nil
            }
            state = .resumed
            return ending
        }
        guard let ending else { return true }
        continuation.resume(returning: ending)
        return false
    }

    /// `false`: it had ended before, and that stands.
    @discardableResult
    func end(_ ending: Ending) -> Bool {
        let (isFirst, continuation) = state.withLock { state -> (Bool, CheckedContinuation<Ending, Never>?) in
            switch state {
            case .idle:
                state = .ended(ending)
                return (true, nil)
            case .waiting(let continuation):
                state = .resumed
                return (true, continuation)
            case .ended, .resumed: return (false, nil)
            }
        }
        continuation?.resume(returning: ending)
        return isFirst
    }
}
