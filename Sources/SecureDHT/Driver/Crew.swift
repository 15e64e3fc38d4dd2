import Dispatch
import Synchronization

/// The threads that do a node's cryptography when there is much of it at once. The loop's own is one of them,
/// and waits for the others, so that nothing changes meanwhile; those are lent by Dispatch, which has as many
/// in all as the machine has processors, however many nodes there are.
struct Crew: Sendable {
    /// To wake a thread costs as much as a good part of a signature: each is to have this many to do.
    private static let leastShare = 3

    /// At most so many at once.
    let size: Int

    init(size: Int) { self.size = max(size, 1) }

    /// Does the work for each number below `count`; returns when all is done.
    func perform(_ count: Int, _ work: @Sendable (Int) -> Void) {
        let threads = min(size, count / Self.leastShare)
        guard threads > 1 else {
            for index in 0..<count { work(index) }
            return
        }
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                work(index)
            }
        }
    }
}
