import DHTCore
import DHTEngine

/// How a value is to be written.
///
///     PutOptions(lifetime: .seconds(7 * 86_400), condition: .absent, timeout: .seconds(5))
public struct PutOptions: Hashable, Sendable {
    /// The condition under which a write happens. Best effort: each replica judges by the records it holds,
    /// and two writers at once may both be told yes. The write has the time of our own clock: if that is
    /// behind the clock of the other author, the condition holds and the value is hidden all the same, which
    /// ``PutReceipt/hiddenBy`` tells.
    public enum Condition: Hashable, Sendable {
        /// Nobody's live value stands under the key.
        case absent
        /// The newest live record under the key has this revision.
        case revision(Revision)
    }

    /// A day.
    public static let standardLifetime = Duration.seconds(86_400)

    /// Until the value ends: 1 second to 365 days, rounded up to a second.
    public var lifetime: Duration
    /// The condition under which the value is written; `nil`: none.
    public var condition: Condition?
    /// W: copies, our own included, without which the write counts as failed, 1…8. `nil`: as many as it
    /// takes for every read of 3 (``GetOptions/standardReplicas``) to see it: two fewer than nodes ought to
    /// have it, and two at least, if there is anybody else.
    public var minimumCopies: Int?
    /// Whether this node keeps the value alive for as long as it runs, also after a restart if it has a
    /// directory: it signs a new revision at half the lifetime, until the value is deleted or put without.
    /// A condition that names a revision of it holds until the next one. Needs a lifetime of 30 s at least:
    /// ``KeptValue/leastLifetime``.
    public var isKept: Bool
    /// How long the call may take; `nil`: as long as it needs. When that is over, or the task is cancelled,
    /// the call returns at once and the node stops working on it. The value may have landed by then.
    public var timeout: Duration?
    /// When the write began, if that was before its value was there.
    package var turn: WriteTurn?

    /// The options of a write; ``DHTNode`` checks them when it is called.
    public init(
        lifetime: Duration = Self.standardLifetime,
        condition: Condition? = nil,
        minimumCopies: Int? = nil,
        isKept: Bool = false,
        timeout: Duration? = nil
    ) {
        (self.lifetime, self.condition) = (lifetime, condition)
        (self.minimumCopies, self.isKept, self.timeout) = (minimumCopies, isKept, timeout)
    }

    /// Copies that will do, where `target` nodes ought to have one.
    func copies(of target: Int) -> Int {
        minimumCopies ?? max(target - GetOptions.standardReplicas + 1, min(target, 2))
    }

    /// The lifetime in seconds. Refuses what no node can do.
    func check() throws(DHTError) -> UInt32 {
        guard let seconds = lifetime.lifetime, RecordLayout.lifetimes.contains(seconds) else {
            throw DHTError(.invalidArgument, "a lifetime is 1 second to 365 days, not \(lifetime)")
        }
        if let copies = minimumCopies, !(1...Kademlia.replicas).contains(copies) {
            throw DHTError(.invalidArgument, "minimum copies are 1 to \(Kademlia.replicas), not \(copies)")
        }
        return seconds
    }
}

/// The place of a write among those of this node.
package struct WriteTurn: Hashable, Sendable {
    let id: OperationID
}

/// How a value is to be read.
public struct GetOptions: Hashable, Sendable {
    /// R of a read that says nothing else.
    public static let standardReplicas = 3

    /// Only this author's record.
    public var author: Identity?
    /// R: answers to compare, 1…8.
    public var replicas: Int
    /// d: disjoint paths of this read, 1…8, in place of ``NodeConfiguration/paths``.
    public var paths: Int?
    /// How long the call may take; `nil`: as long as it needs. When that is over, or the task is cancelled,
    /// the call returns at once and the node stops working on it.
    public var timeout: Duration?

    /// The options of a read; ``DHTNode`` checks them when it is called.
    public init(
        author: Identity? = nil,
        replicas: Int = Self.standardReplicas,
        paths: Int? = nil,
        timeout: Duration? = nil
    ) {
        (self.author, self.replicas, self.paths, self.timeout) = (author, replicas, paths, timeout)
    }

    /// Refuses what no node can do.
    func check() throws(DHTError) {
        guard (1...Kademlia.replicas).contains(replicas) else {
            throw DHTError(
                .invalidArgument,
                "replicas to ask are 1 to \(Kademlia.replicas), not \(replicas)"
            )
        }
        if let paths { try NodeConfiguration.check(paths: paths) }
    }
}
