/// The records found at a location, and the nodes that answered.
package struct GetOutcome: Hashable, Sendable {
    package struct Found: Hashable, Sendable {
        package let record: Record
        /// Nodes that have this very record, ourselves included.
        package let copies: Int
    }

    /// Live records, tombstones among them, one an author, newest first by ``Precedence``.
    package var found: [Found]
    /// The last record met that is far ahead of our clock, and so is none of ``found``.
    package var ahead: Record?
    package var answered: Int
    package var asked: Int
    /// Of the closest, as many as a record has replicas, those that left us without an answer.
    package var silent = 0
    /// How many these closest are, ourselves not counted.
    package var closest = 0
    /// The longest chain of contacts asked, each named by the one before; 0 if only our own store was read.
    package var hops = 0
    /// The nodes that answered, nearest first, ourselves included if we hold a record: as many as
    /// ``answered``.
    package var answeredBy: [Identity] = []
    /// The other nodes that answered, nearest first.
    package var contacts: [Contact] = []
    /// The questions and their answers, if they were wanted.
    package var trace: LookupTrace?

    /// The last word of the one author who was asked about, whatever our clock says of it: for that author,
    /// who may go back behind what it wrote under a wrong clock.
    package var last: Record? {
        guard let ahead, found.first.map({ ahead.supersedes($0.record) }) ?? true else {
            return found.first?.record
        }
        return ahead
    }
}
