import NIOCore
import Synchronization

/// Requests that have room for a value, and those that wait for it, first come first served. A request for
/// more than there is gets all of it.
struct RoomBook: Sendable {
    typealias Name = UInt64

    let capacity: Int
    private(set) var taken = 0
    private var holders: [Name: Int] = [:]
    private var waiting: [(name: Name, count: Int)] = []
    private var lastName: Name = 0

    init(capacity: Int) { self.capacity = capacity }

    func isWaiting(_ name: Name) -> Bool { waiting.contains { $0.name == name } }

    /// Asks for room. Whether it is there at once: else `leave` tells of those whose turn has come.
    mutating func ask(for count: Int) -> (name: Name, isGranted: Bool) {
        lastName += 1
        waiting.append((lastName, min(count, capacity)))
        return (lastName, grant().contains(lastName))
    }

    /// This one needs no room any more, or waits no longer; who has room now.
    mutating func leave(_ name: Name) -> [Name] {
        taken -= holders.removeValue(forKey: name) ?? 0
        waiting.removeAll { $0.name == name }
        return grant()
    }

    private mutating func grant() -> [Name] {
        var granted: [Name] = []
        while let first = waiting.first, taken + first.count <= capacity {
            waiting.removeFirst()
            holders[first.name] = first.count
            taken += first.count
            granted.append(first.name)
        }
        return granted
    }
}

/// Others hold all the room there is for long values: whoever asks again later may find some.
struct Busy: Error {}

/// Room for values that have to be here as a whole.
final class ValueRoom: Sendable {
    private struct State: Sendable {
        var book: RoomBook
        var continuations: [RoomBook.Name: CheckedContinuation<Bool, Never>] = [:]
    }

    /// A place in the room, until it is left or forgotten.
    final class Ticket: Sendable {
        private let room: ValueRoom
        private let name: Mutex<RoomBook.Name?>

        fileprivate init(_ room: ValueRoom, _ name: RoomBook.Name?) {
            self.room = room
            self.name = Mutex(name)
        }

        deinit { leave() }

        func leave() {
            let last = name.withLock { name in
                defer { name = nil }
                return name
            }
            if let last { room.leave(last) }
        }
    }

    /// Values no longer than that need no room.
    static let leastLength = 65_536

    private let state: Mutex<State>
    private let patience: TimeAmount

    init(_ capacity: Int, patience: TimeAmount) {
        state = Mutex(State(book: RoomBook(capacity: capacity)))
        self.patience = patience
    }

    /// Waits for so many bytes of room; ``Busy`` if others hold it for too long.
    func enter(_ count: Int, on loop: any EventLoop) async throws -> Ticket {
        guard count > Self.leastLength else { return Ticket(self, nil) }
        let (name, isGranted) = state.withLock { $0.book.ask(for: count) }
        let ticket = Ticket(self, name)
        if !isGranted, !(await wait(name, loop)) {
            try Task.checkCancellation()
            throw Busy()
        }
        return ticket
    }

    /// Whether its turn came.
    private func wait(_ name: RoomBook.Name, _ loop: any EventLoop) async -> Bool {
        let alarm = loop.scheduleTask(in: patience) { self.end([name], isGranted: false) }
        defer { alarm.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // Its turn may have come before it could wait.
                    guard state.book.isWaiting(name), !Task.isCancelled else { return true }
                    state.continuations[name] = continuation
                    return false
                }
                if isOver { continuation.resume(returning: !Task.isCancelled) }
            }
        } onCancel: {
            end([name], isGranted: false)
        }
    }

    private func leave(_ name: RoomBook.Name) {
        end(state.withLock { $0.book.leave(name) }, isGranted: true)
    }

    private func end(_ names: [RoomBook.Name], isGranted: Bool) {
        let waiting = state.withLock { state in
            names.compactMap { state.continuations.removeValue(forKey: $0) }
        }
        for continuation in waiting { continuation.resume(returning: isGranted) }
    }
}
