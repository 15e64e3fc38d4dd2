import NIOCore
import Synchronization

/// What the users of a control socket may hold at once, and for how long: else a few who begin and never
/// finish would fill the node's memory.
package struct ControlLimits: Sendable {
    /// Open connections; further ones wait until one closes.
    package var connections = 64
    /// Of the bodies of requests that are being read or answered, in all. Further requests wait.
    package var bodyBytes = 128 << 20
    /// A connection on which no request is being answered, and nothing comes, is closed after this time.
    package var idleTime = TimeAmount.seconds(60)
    /// A body that has not come whole after this time never will.
    package var bodyTime = TimeAmount.seconds(60)

    package init() {}
}

/// Room for bodies of requests, a number of bytes of which all have a part.
final class BodyRoom: Sendable {
    private static let pause = Duration.milliseconds(20)

    private let free: Mutex<Int>

    init(_ count: Int) { free = Mutex(count) }

    /// Waits for room, as long as the caller is not cancelled. What is taken is given back.
    func take(_ count: Int) async throws {
        while !tryTake(count) { try await Task.sleep(for: Self.pause) }
    }

    private func tryTake(_ count: Int) -> Bool {
        free.withLock {
            guard $0 >= count else { return false }
            $0 -= count
            return true
        }
    }

    func give(_ count: Int) { free.withLock { $0 += count } }
}
