// Reading from the store, and what it shows of the store itself: a row that is damaged on the disk is not
// read, and only the catalog still names it.

extension KademliaNode {
    /// Reads what authors have at a location, for a store request.
    mutating func load(
        for storeRequest: StoreRequest,
        at location: NodeID,
        by authors: [Identity],
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        let ticket = ticket(for: storeRequest)
        expected[ticket] = authors.flatMap { author in
            catalog.entries(at: location, by: author, unixMilliseconds: now.unixMilliseconds)
                .filter { pendingWrites[$0.digest] == nil }
                .map { Catalog.Located(location: location, entry: $0) }
        }
        actions.append(.load(ticket, location: location, authors: authors))
    }

    /// Strikes out of the catalog what the store was to have when it was asked, and did not bring. Else a
    /// replica that offers it again would be told that it is kept already.
    mutating func strikeOutLost(_ ticket: Ticket, found: [Record], withheld: [Digest]) {
        for located in expected.removeValue(forKey: ticket) ?? [] {
            let digest = located.entry.digest
            // What is on its way to the store was not there to be read.
            guard pendingWrites[digest] == nil, !withheld.contains(digest),
                !found.contains(where: { $0.digest == digest })
            else { continue }
            catalog.strikeOut(digest, at: located.place)
        }
    }
}
