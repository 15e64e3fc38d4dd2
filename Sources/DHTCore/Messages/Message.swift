/// A request of one node to another: the decoded payload. `docs/protocol.md`, section 7.
package enum Request: Hashable, Sendable {
    /// `isLeaving`: the sender stops and wants to be forgotten. `roster`: the one it holds; `nil`: none.
    case ping(isLeaving: Bool, roster: RosterMark? = nil)
    case findNode(target: NodeID)
    /// Records at a location, newest first, from the `offset`-th on; of one author if `author` is given.
    case findValue(location: NodeID, author: Identity?, offset: UInt16)
    case store(Record, condition: Condition?)
    /// See to it that those have the record who have no address of the sender's family.
    case passOn(Record, condition: Condition?)
    /// A chunk of content: up to 1,000 bytes of one of its parts.
    case findChunk(content: Digest, part: ContentPart, chunk: UInt8)
    /// The head of the roster that the receiver holds.
    case findRoster
    /// Let me in: under the key of an invitation only.
    case join

    /// The condition that the newest live record under the key must meet for a STORE to be taken. Best
    /// effort: each replica judges by what it holds.
    package enum Condition: Hashable, Sendable {
        case absent
        case revision(Revision)
        /// Any record or none, even one that its author wrote ahead of the clock and goes back behind.
        case anything
    }

    package var operation: OperationCode {
        switch self {
        case .ping: .ping
        case .findNode: .findNode
        case .findValue: .findValue
        case .store: .store
        case .passOn: .passOn
        case .findChunk: .findChunk
        case .findRoster: .findRoster
        case .join: .join
        }
    }

    /// Whether the request may change what the receiver keeps, so that the sender must have proved its
    /// address.
    package var isWrite: Bool { operation == .store || operation == .passOn }

    /// Whether it is a PING with the leaving flag.
    package var isGoodbye: Bool { if case .ping(true, _) = self { true } else { false } }

    /// The record to be written; `nil` if the request is no write.
    package var record: Record? {
        switch self {
        case .store(let record, _), .passOn(let record, _): record
        case .ping, .findNode, .findValue, .findChunk, .findRoster, .join: nil
        }
    }
}

/// Operation codes on the wire. 7…15 and 18…127 are kept for what comes next.
package enum OperationCode: UInt8, CaseIterable, Sendable {
    case ping = 1
    case findNode = 2
    case findValue = 3
    case store = 4
    case findChunk = 5
    case passOn = 6
    case findRoster = 16
    case join = 17

    /// As people and programs read it.
    package var name: String {
        switch self {
        case .ping: "ping"
        case .findNode: "find_node"
        case .findValue: "find_value"
        case .store: "store"
        case .findChunk: "find_chunk"
        case .passOn: "pass_on"
        case .findRoster: "find_roster"
        case .join: "join"
        }
    }
}

/// The answer to a request: the decoded payload of a response.
package enum Response: Hashable, Sendable {
    /// The address the request came from, as the responder saw it, where the responder believes it can be
    /// reached, what it makes of the asker, and which roster it holds, if it is another than the asker's.
    case pong(observed: Endpoint, endpoints: [Endpoint], view: View? = nil, roster: RosterMark? = nil)
    case nodes([Contact])
    /// `total` counts every live record the responder holds that the request asked for, sent or not.
    case values([Record], total: UInt16, closer: [Contact])
    case stored(Receipt)
    /// The record offered is older than, or fails its condition against, this one (none: nothing is there).
    case conflict(Record?)
    case refused(Refusal)
    /// The record refers to content of which the replica holds so many bytes. It asks the requester for the
    /// rest; once it has all, it will take the record.
    case wanted(held: UInt32)
    /// Bytes of content.
    case chunk([UInt8])
    /// The roster that the responder holds.
    case roster(RosterHead)
    /// All that a machine needs which is let in.
    case welcome([UInt8])
    /// The responder does not have that part of the content, or no roster.
    case absent
    /// Nothing was done: ask again, with the challenge that came with this answer.
    case retry

    /// A replica's word that it keeps a record.
    package struct Receipt: Hashable, Sendable {
        /// Nodes that a receipt names: K, without the one that gives it.
        package static let closestLimit = Kademlia.replicas - 1

        /// The author whose value, under the same key and with a higher revision, hides the record.
        package enum Hider: Hashable, Sendable {
            case author(Identity)
            /// ``NodeID/prefix`` of the author's node id: all that the wire carries.
            case place(UInt32)

            package func prefix(placing place: (Identity) -> NodeID) -> UInt32 {
                switch self {
                case .author(let author): place(author).prefix
                case .place(let prefix): prefix
                }
            }
        }

        /// Seconds the replica grants, counted from now.
        package var lifetime: UInt32
        package var hiddenBy: Hider?
        /// ``NodeID/prefix`` of the closest nodes to the record's location the replica knows, without itself,
        /// at most ``closestLimit``: so the writer learns, at no cost, of closer nodes it has not heard of.
        package var closest: [UInt32]

        package init(lifetime: UInt32, hiddenBy: Hider? = nil, closest: [UInt32]) {
            (self.lifetime, self.hiddenBy, self.closest) = (lifetime, hiddenBy, closest)
        }
    }

    package enum Refusal: Hashable, Sendable {
        /// No room for the author, or for a record this far away.
        case quota
        /// The record's lifetime is over.
        case expired
        /// The record's revision is too far ahead of the replica's clock, which says this (Unix
        /// milliseconds).
        case clock(unixMilliseconds: UInt64)
        /// The author may not write here.
        case denied
        /// The replica could not write the record to its disk.
        case unavailable
    }
}

/// Kademlia's constants.
package enum Kademlia {
    /// K: replicas of a record, and the least a bucket holds.
    package static let replicas = 8
    /// Contacts that one answer names: K of any family, and as many as it takes for K of one.
    package static let namedLimit = 2 * replicas
    /// α: requests of one lookup in flight.
    package static let parallelism = 3
}
