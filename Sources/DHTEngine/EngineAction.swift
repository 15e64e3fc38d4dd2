import DHTCore
import DHTEnvelope

package typealias EngineTurn = Turn<EngineAction>

/// An action that the engine wants done. The driver performs actions in order.
package enum EngineAction: Sendable {
    /// Send this there, once the gate has finished it; that it is lost is nobody's fault.
    case transmit(Outgoing, to: Endpoint)
    /// Read what these authors have at a location; then `complete` the ticket.
    case load(Ticket, location: NodeID, authors: [Identity])
    /// Make the changes durable; then `complete` the ticket.
    case apply(Ticket, [RecordChange])
    /// Read this piece of a user's value from where it is, and make it durable; then `complete` the ticket.
    case importPiece(Ticket, of: Content, index: Int)
    /// Read a part of content; then `complete` the ticket.
    case loadPart(Ticket, of: Digest, ContentPart)
    /// Find the content that no record refers to; then `complete` the ticket.
    case survey(Ticket)
    /// Find the addresses of a seed; then `resolved`.
    case resolve(seed: Int)
    /// There is reason to send to this address, though the system may have refused that lately.
    case retry(Endpoint)
    /// A record of ours is about to go out: a later one at this location is to have a higher revision,
    /// whatever the clock says, in this process or the next. This revision takes the place of the one told
    /// before, higher or not. `nil`: none need be remembered, for nobody took the record that was signed.
    case signed(OwnRevisions?, at: NodeID)
    /// The next piece of a value that is read as its user takes it, who asked for it by `pull`.
    case piece(OperationID, [UInt8])
    /// The operation is over.
    case finished(OperationID, Outcome)
    /// Another roster counts from now on: it is to be there for the next process, too.
    case adopted(Roster)
    /// Two rosters of one serial are signed: this is to be kept.
    case conflicting(RosterKeeper.Conflict)
}

/// How the store fared with a ticket.
package enum StorageOutcome: Sendable {
    case loaded([Record])
    /// The bytes of a part of content; `nil`: they are not there.
    case part(StoredPart?)
    /// The content that no record refers to.
    case surveyed([Digest])
    case applied
    /// There was no room.
    case full
    /// The store could not be read or written.
    case unavailable
}

/// The verdict on a datagram.
package enum Disposition: Hashable, Sendable {
    case accepted
    case dropped(DropReason)
}

/// An operation that a user may ask for.
package enum Operation: Sendable {
    case put(Put)
    /// Replace our own record under the key by a tombstone.
    case delete(key: [UInt8])
    /// `paths`: in the place of the node's setting.
    case get(key: [UInt8], author: Identity?, replicas: Int, isExhaustive: Bool, paths: Int? = nil)
    /// Bring the content that a record refers to, from those who may have it.
    case fetch(Record, from: [Contact])
    /// Bring the content, a piece whenever the user asks for one by `pull`; it ends when one is asked for
    /// after the last, or cannot be had.
    case read(Record, from: [Contact])
    case ping(Identity)
    /// Look for all records at a location, and tell what was asked of whom.
    case trace(location: NodeID)
    /// Hand over the records kept here and say goodbye.
    case leave

    /// A value to be signed and kept.
    package struct Put: Sendable {
        /// 1…128 bytes.
        package var key: [UInt8]
        /// 0…640 bytes; a reference to the content, if the value is too long.
        package var value: [UInt8]
        /// A value, a reference to one, or the tombstone of one.
        package var kind = Record.Kind.value
        /// The content that the value refers to, until the store has it.
        package var content: Content?
        /// Seconds: 1…31,536,000.
        package var lifetime: UInt32
        package var condition: Request.Condition?
        /// Sign and put the value anew at half its lifetime, over and over while the node runs: until it is
        /// deleted, or put without this.
        package var isKept: Bool
        /// Copies without which the user counts the put as failed; it does not end with fewer before all was
        /// tried.
        package var copies = 0

        /// Seconds that the content may take to reach its replicas, at the slowest rate at which they go on
        /// waiting for it: a record that lives for less may be over before it is anywhere.
        package var leastLifetime: UInt64 {
            guard let length = content?.reference.length else { return 0 }
            return (UInt64(length) +| (ContentTransfers.leastRate - 1)) / ContentTransfers.leastRate
        }

        package init(
            key: [UInt8],
            value: [UInt8],
            lifetime: UInt32,
            condition: Request.Condition? = nil,
            isKept: Bool = false
        ) {
            (self.key, self.value, self.lifetime) = (key, value, lifetime)
            (self.condition, self.isKept) = (condition, isKept)
        }

        /// A put of a value too long for a record.
        package init(
            key: [UInt8],
            content: Content,
            lifetime: UInt32,
            condition: Request.Condition? = nil,
            isKept: Bool = false
        ) {
            let value = content.reference.encoded
            self.init(key: key, value: value, lifetime: lifetime, condition: condition, isKept: isKept)
            (kind, self.content) = (.reference, content)
        }
    }
}

/// How an operation ended.
package enum Outcome: Sendable {
    case put(Record, PutOutcome)
    /// Nothing was written: the condition does not hold, as this record shows (`nil`: there is none).
    case conflict(Record?)
    /// There was nothing of ours to delete.
    case nothingToDelete(GetOutcome)
    case got(GetOutcome)
    /// The content, unless it went piece by piece; `nil`: of those who have it, nobody can be reached.
    case fetched([UInt8]?)
    /// The node's own store could not take the content that was to be put.
    case unstorable(Response.Refusal)
    /// The value was not put: it cannot be kept alive.
    case unkeepable(KeepingRefusal)
    case pinged(Interval?)
    case left
}
