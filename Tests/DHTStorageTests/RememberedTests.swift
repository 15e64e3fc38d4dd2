import DHTCore
import DHTStorage
import Foundation
import Testing

struct RememberedTests {
    private static func contact(_ byte: UInt8, _ endpoint: Endpoint, answered: UInt64) -> RememberedContact {
        RememberedContact(identity: author(byte), endpoint: endpoint, answered: answered)
    }

    private func value(_ key: [UInt8]) -> RenewedValue {
        RenewedValue(key: key, lifetime: .max, revision: Revision(rawValue: .max))
    }

    @Test func `contacts come back, those first that answered last`() throws {
        let folder = try Folder()
        let address = (0..<16).map { UInt8($0) }
        let six = try #require(Endpoint(addressBytes: address, port: 65535))
        let contacts = [
            Self.contact(3, six, answered: .max), Self.contact(2, Endpoint(ipv4: 1, port: 0), answered: 9),
            Self.contact(4, Endpoint(ipv4: .max, port: 1), answered: 9), Self.contact(1, six, answered: 0),
        ]
        let database = try NodeDatabase(in: folder)
        try database.replaceContacts(contacts.reversed())
        #expect(try database.contacts() == contacts)
        database.close()
        let again = try NodeDatabase(in: folder)
        #expect(try again.contacts() == contacts)
        try again.replaceContacts([contacts[1]])
        #expect(try again.contacts() == [contacts[1]])
        try again.replaceContacts([])
        #expect(try again.contacts() == [])
    }

    @Test func `own revisions are remembered, above 2⁶³ too, until none need be`() throws {
        let folder = try Folder()
        let (one, two, three) = (NodeID(firstByte: 1), NodeID(firstByte: 2), NodeID(firstByte: 3))
        let database = try NodeDatabase(in: folder)
        let earlier = [0, 1 << 63, 6].map { Revision(rawValue: $0) }
        for revision in [5, 9, 7, .max, 1 << 63, 3, .max - 1] as [UInt64] {
            let own = OwnRevisions(last: Revision(rawValue: revision), earlier: earlier)
            try database.rememberRevisions([one: own, three: OwnRevisions(Revision(rawValue: 9))])
        }
        try database.rememberRevisions([two: OwnRevisions(Revision(rawValue: 0)), three: nil])
        database.close()
        #expect(
            try NodeDatabase(in: folder).revisions()
                == [
                    one: OwnRevisions(last: Revision(rawValue: .max - 1), earlier: earlier),
                    two: OwnRevisions(Revision(rawValue: 0)),
                ]
        )
    }

    @Test func `keys are kept until they are not`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        try database.rememberRenewed([[9]: value([9])])
        try database.rememberRenewed([
            [9]: nil, [2]: value([2]), [0xFF, 0]: value([0xFF, 0]), [1, 2]: value([1, 2]),
        ])
        database.close()
        let again = try NodeDatabase(in: folder)
        #expect(try again.kept() == [value([1, 2]), value([2]), value([0xFF, 0])])
        try again.rememberRenewed([[1, 2]: nil, [2]: nil, [0xFF, 0]: nil, [7]: nil])
        #expect(try again.kept().isEmpty)
    }

    @Test func `a change writes one row, however many keys are kept`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        let keys = (0..<2000).map { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        try database.rememberRenewed(Dictionary(uniqueKeysWithValues: keys.map { ($0, value($0)) }))
        let later = RenewedValue(key: keys[7], lifetime: 60, revision: Revision(rawValue: 9))
        for change in [[keys[7]: later], [keys[8]: nil], [[1]: value([1])]] as [[[UInt8]: RenewedValue?]] {
            let before = rowsWritten(database)
            try database.rememberRenewed(change)
            #expect((1...2).contains(rowsWritten(database) - before), "one is replaced: out and in")
        }
        let kept = try database.kept()
        #expect(kept.count == 2000)
        #expect(kept.contains(later) && kept.contains(value([1])) && !kept.contains { $0.key == keys[8] })
    }

    /// Rows that were inserted, changed or deleted since the database was opened.
    private func rowsWritten(_ database: NodeDatabase) -> Int {
        database.pool.writeWithoutTransaction { $0.totalChangesCount }
    }

    @Test func `a full disk is told by these as well`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        try database.rememberRenewed([[1]: value([1])])
        try database.confine(room: 0)
        #expect(throws: RecordStoreError.full) {
            try database.replaceContacts(
                (0...200).map { Self.contact($0, Endpoint(ipv4: 1, port: 1), answered: 1) }
            )
        }
        #expect(try database.contacts() == [])
        #expect(try database.kept() == [value([1])])
    }
}
