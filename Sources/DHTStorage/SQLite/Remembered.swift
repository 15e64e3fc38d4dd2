import DHTCore
import FoundationEssentials
import GRDB

/// A contact that was good when the node was last heard of: somebody to ask first after a restart.
package struct RememberedContact: Hashable, Sendable {
    package let identity: Identity
    package let endpoint: Endpoint
    /// When it last answered, in milliseconds since 1970.
    package let answered: UInt64

    package init(identity: Identity, endpoint: Endpoint, answered: UInt64) {
        (self.identity, self.endpoint, self.answered) = (identity, endpoint, answered)
    }
}

// The state that a node remembers besides records. Nobody else can make these tables grow: contacts are those
// of the routing table, the others are of the node's own values.
extension NodeDatabase {
    // MARK: Contacts

    /// Remembers these contacts and no others.
    package func replaceContacts(_ contacts: [RememberedContact]) throws(RecordStoreError) {
        try write { database in
            try database.execute(sql: "DELETE FROM contact")
            let insertion = try database.cachedStatement(
                sql: "INSERT OR REPLACE INTO contact (identity, address, port, answered) VALUES (?, ?, ?, ?)"
            )
            for contact in contacts {
                try insertion.execute(arguments: [
                    Data(contact.identity.bytes), Data(contact.endpoint.addressBytes),
                    Int64(contact.endpoint.port), Int64(bitPattern: contact.answered),
                ])
            }
        }
    }

    /// The contacts remembered, those first that answered last, then by identity.
    package func contacts() throws(RecordStoreError) -> [RememberedContact] {
        let contacts = try read { database in
            try Row.fetchAll(database, sql: "SELECT identity, address, port, answered FROM contact")
                .compactMap { row -> RememberedContact? in
                    guard let identity = Identity(row.bytes(at: 0)),
                        let port = row.bits(at: 2).flatMap({ UInt16(exactly: $0) }),
                        let endpoint = Endpoint(addressBytes: row.bytes(at: 1), port: port),
                        let answered = row.bits(at: 3)
                    else { return nil }
                    return RememberedContact(identity: identity, endpoint: endpoint, answered: answered)
                }
        }
        return contacts.sorted { ($1.answered, $0.identity) < ($0.answered, $1.identity) }
    }

    // MARK: Own revisions

    /// Remembers that we signed these revisions, at a location each, in the place of what is remembered
    /// there; `nil`: nothing is any more.
    package func rememberRevisions(_ revisions: [NodeID: OwnRevisions?]) throws(RecordStoreError) {
        try write { database in
            let removal = try database.cachedStatement(sql: "DELETE FROM own_revision WHERE location = ?")
            let insertion = try database.cachedStatement(
                sql: "INSERT OR REPLACE INTO own_revision (location, revision, earlier) VALUES (?, ?, ?)"
            )
            for (location, own) in revisions {
                let place = Data(location.bytes)
                if let own {
                    var earlier: [UInt8] = []
                    for revision in own.earlier { earlier.appendBigEndian(revision.rawValue) }
                    try insertion.execute(
                        arguments: [place, Int64(bitPattern: own.last.rawValue), Data(earlier)]
                    )
                } else {
                    try removal.execute(arguments: [place])
                }
            }
        }
    }

    /// The last revisions of ours at each location.
    package func revisions() throws(RecordStoreError) -> [NodeID: OwnRevisions] {
        try read { database in
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM own_revision") ?? 0
            var revisions = [NodeID: OwnRevisions](minimumCapacity: count)
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT location, revision, earlier FROM own_revision"
            )
            while let row = try rows.next() {
                guard let location = NodeID(row.bytes(at: 0)), let bits = row.bits(at: 1) else { continue }
                let earlier = row.bytes(at: 2)
                revisions[location] = OwnRevisions(
                    last: Revision(rawValue: bits),
                    earlier: stride(from: 0, to: earlier.count - 7, by: 8)
                        .map { Revision(rawValue: earlier[$0...].bigEndian()) }
                )
            }
            return revisions
        }
    }

    // MARK: Kept values

    /// Remembers these values as ones to keep alive, by key, in the place of what is remembered of the same
    /// keys; `nil`: it is kept no more.
    package func rememberRenewed(_ values: [[UInt8]: RenewedValue?]) throws(RecordStoreError) {
        try write { database in
            let removal = try database.cachedStatement(sql: "DELETE FROM kept WHERE key = ?")
            let insertion = try database.cachedStatement(
                sql: "INSERT OR REPLACE INTO kept (key, lifetime, revision) VALUES (?, ?, ?)"
            )
            for (key, value) in values {
                if let value {
                    let revision = Int64(bitPattern: value.revision.rawValue)
                    try insertion.execute(arguments: [Data(key), Int64(value.lifetime), revision])
                } else {
                    try removal.execute(arguments: [Data(key)])
                }
            }
        }
    }

    /// The values to keep alive, in the order of their keys' bytes.
    package func kept() throws(RecordStoreError) -> [RenewedValue] {
        try read {
            try Row.fetchAll($0, sql: "SELECT key, lifetime, revision FROM kept ORDER BY key")
                .compactMap { row -> RenewedValue? in
                    guard let lifetime = row.bits(at: 1).flatMap({ UInt32(exactly: $0) }),
                        let revision = row.bits(at: 2)
                    else { return nil }
                    return RenewedValue(
                        key: row.bytes(at: 0),
                        lifetime: lifetime,
                        revision: Revision(rawValue: revision)
                    )
                }
        }
    }
}
