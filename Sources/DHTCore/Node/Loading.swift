// Reading from the store, and what it shows of the store itself: a row that is damaged on the disk is not
// read, and only the catalog still names it.

extension KademliaNode {
    /// Reads what authors have at a location, for a store request.
    mutating func load(
        for storeRequest: StoreRequest,
        at location: NodeID,
        by authors: [Identity],
        in turn: inout KademliaTurn
    ) {
        let ticket = freshTicket()
        let entries = authors.flatMap { author in
            catalog.entries(at: location, by: author, unixMilliseconds: turn.now.unixMilliseconds)
                .map { Catalog.Located(location: location, entry: $0) }
        }
        storeRequests.beginRead(storeRequest, as: ticket, expecting: entries)
        turn.actions.append(.load(ticket, location: location, authors: authors))
    }
}
