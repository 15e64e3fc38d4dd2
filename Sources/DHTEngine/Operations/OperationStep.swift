import DHTCore
import DHTEnvelope

// The desk's answers, its surroundings, and the operations that wait for an event.

extension OperationDesk {
    /// A step that is to be done for an operation.
    enum Step: Sendable {
        /// To the core, under the operation's name; ``finish(_:_:in:at:)`` is told how it ends.
        case submit(KademliaOperation)
        /// To the core: a PING to this peer, whose node id the caller knows.
        case ping(Identity)
        /// Sign a record; then ``signed(_:by:as:)``.
        case sign(SigningOrder)
        /// The last revisions of ours at a location are to outlive the process; `nil`: there are none.
        case remember(OwnRevisions?, at: NodeID)
        /// Put the content of a value into our own store; then ``proceed(with:as:in:at:)``, or
        /// ``giveUp(_:_:at:)``.
        case importContent(Operation.Put)
        /// Bring the content of a record. `isStreamed`: as its user takes it.
        case fetch(Record, from: [Contact], isStreamed: Bool)
        /// The record is on its way no more.
        case uploadEnded(Record)
        /// The operation is over, which its user is to be told.
        case finished(Outcome)
    }

    /// A record that is to be signed, the put it is for, and the state of its ``Signing``.
    struct SigningOrder: Sendable {
        let put: Operation.Put
        let draft: RecordCodec.Draft
        let attempts: Int
        let previous: OwnRevisions?
        let hasGoneBack: Bool
    }

    /// The state of the node that the desk must know at an event.
    struct Surroundings: Sendable {
        let identity: Identity
        /// The revision that the catalog has of ours, where the operation writes.
        let catalogued: Revision?
        /// Nobody else is known.
        let isAlone: Bool
    }

    /// An operation that waits for an event.
    enum Pending: Sendable {
        /// A put or a tombstone.
        case put(Operation.Put, Signing)
        /// The newest record under the key is looked for, to see whether the condition holds.
        case conditional(Operation.Put)
        /// Our record is looked for, to be replaced by a tombstone.
        case delete(key: [UInt8])
        /// A kept value of ours is read, to be signed anew. `isOurs`: only our own record is asked for.
        case renewal(NodeID, isOurs: Bool)
        case other
    }
}

extension KademliaOperation {
    /// Reads the newest record at a location: of this author, or of anybody.
    static func newest(at location: NodeID, by author: Identity?) -> KademliaOperation {
        .get(location: location, author: author, replicas: Kademlia.parallelism, isExhaustive: false)
    }
}
