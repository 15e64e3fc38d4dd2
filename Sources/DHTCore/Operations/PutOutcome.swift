/// The answers of the replicas to a record that was put.
package struct PutOutcome: Hashable, Sendable {
    package enum Verdict: Hashable, Sendable {
        case stored
        /// Not taken for the record that stands in the way; `nil`: none was told.
        case conflict(Record?)
        case refused(Response.Refusal)
        case timeout

        /// The verdict in an answer to a write; `nil`: there was no answer.
        init(_ response: Response?) {
            switch response {
            case .stored: self = .stored
            case .conflict(let record): self = .conflict(record)
            case .refused(let refusal): self = .refused(refusal)
            case .pong, .nodes, .values, .wanted, .chunk, .roster, .welcome, .absent, .retry, nil:
                self = .timeout
            }
        }

        /// Something stands in the way.
        var isConflict: Bool { if case .conflict = self { true } else { false } }

        /// Not taken, which may be otherwise a while later.
        var mayChange: Bool {
            switch self {
            case .timeout, .refused(.quota), .refused(.unavailable), .refused(.clock): true
            case .stored, .conflict, .refused(.denied), .refused(.expired): false
            }
        }
    }

    package struct Replica: Hashable, Sendable {
        package let identity: Identity
        package let verdict: Verdict
        /// The author that hides the record, as the replica told when it stored it; `nil`: none.
        package let hiddenBy: Response.Receipt.Hider?

        package init(identity: Identity, verdict: Verdict, hiddenBy: Response.Receipt.Hider? = nil) {
            (self.identity, self.verdict, self.hiddenBy) = (identity, verdict, hiddenBy)
        }
    }

    /// Nearest first is not promised; the order is that of asking.
    package var replicas: [Replica]
    /// Families by which alone some of the members read, who may not see the record: too few of the nodes
    /// they ask took it, as far as is known.
    package var unreached: Endpoint.Families = []

    package var stored: Int { replicas.count { $0.verdict == .stored } }

    /// Revisions of the author that stand in the record's place, as the replicas that refused it told: none
    /// older.
    package func revisions(standingAgainst record: Record) -> [Revision] {
        replicas.compactMap { replica in
            guard case .conflict(let standing?) = replica.verdict, standing.author == record.author,
                standing.revision >= record.revision
            else { return nil }
            return standing.revision
        }
    }
}

extension PutOutcome {
    /// The author whose newer value hides the record, if two of the replicas that took it say the same, or
    /// all of them do. `place`: where an author is in the key space.
    package func hider(placing place: (Identity) -> NodeID) -> Response.Receipt.Hider? {
        var votes: [UInt32: (count: Int, hider: Response.Receipt.Hider)] = [:]
        for case let hider? in replicas.lazy.filter({ $0.verdict == .stored }).map(\.hiddenBy) {
            let prefix = hider.prefix(placing: place)
            let old = votes[prefix]
            // An author named by its identity need not be looked for.
            let named = if case .author? = old?.hider { old?.hider ?? hider } else { hider }
            votes[prefix] = ((old?.count ?? 0) + 1, named)
        }
        let most = votes.max { ($0.value.count, $0.key) < ($1.value.count, $1.key) }?.value
        guard let most, most.count >= min(2, stored) else { return nil }
        return most.hider
    }
}

extension PutOutcome {
    /// Everybody who was asked has the record, or must not have it.
    var isComplete: Bool { replicas.allSatisfy { !$0.verdict.mayChange && !$0.verdict.isConflict } }

    /// Newer records of the same author that stand in the way at some replicas. One that is far ahead of our
    /// clock is none: what its author writes takes its place.
    func successors(of record: Record, unixMilliseconds now: UInt64) -> [Record] {
        replicas.compactMap { replica in
            // An older record contradicts a condition, no more.
            if case .conflict(let newer?) = replica.verdict, newer.author == record.author,
                newer.supersedes(record), !newer.revision.isFarAhead(of: now)
            {
                newer
            } else {
                nil
            }
        }
    }
}
