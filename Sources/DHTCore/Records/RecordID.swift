/// Which record it is, of all there may be: a node keeps one for each location and author.
package struct RecordID: Hashable, Comparable, Sendable {
    package let location: NodeID
    package let author: Identity

    package init(location: NodeID, author: Identity) { (self.location, self.author) = (location, author) }

    package static func < (lhs: RecordID, rhs: RecordID) -> Bool {
        (lhs.location, lhs.author) < (rhs.location, rhs.author)
    }
}

extension Record {
    package var id: RecordID { RecordID(location: location, author: author) }
}
