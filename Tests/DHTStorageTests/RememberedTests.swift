import DHTCore
import DHTStorage
import Foundation
import Testing

struct RememberedTests {
    private static func contact(_ byte: UInt8, _ endpoint: Endpoint, answered: UInt64) -> RememberedContact {
        RememberedContact(identity: author(byte), endpoint: endpoint, answered: answered)
    }

    private func value(_ key: [UInt8]) -> RememberedValue {
        RememberedValue(key: key, lifetime: .max, revision: Revision(rawValue: .max))
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

    @Test func `the last own revision is remembered, above 2⁶³ too, until none need be`() throws {
        let folder = try Folder()
        let (one, two, three) = (NodeID(firstByte: 1), NodeID(firstByte: 2), NodeID(firstByte: 3))
        let database = try NodeDatabase(in: folder)
        for revision in [5, 9, 7, .max, 1 << 63, 3, .max - 1] as [UInt64] {
            try database.noteRevisions([one: Revision(rawValue: revision), three: Revision(rawValue: 9)])
        }
        try database.noteRevisions([two: Revision(rawValue: 0), three: nil])
        database.close()
        #expect(
            try NodeDatabase(in: folder).revisions()
                == [one: Revision(rawValue: .max - 1), two: Revision(rawValue: 0)]
        )
    }

    @Test func `keys are kept until they are not`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        try database.replaceKept([value([9])])
        try database.replaceKept([value([2]), value([0xFF, 0]), value([1, 2])])
        database.close()
        let again = try NodeDatabase(in: folder)
        #expect(try again.kept() == [value([1, 2]), value([2]), value([0xFF, 0])])
        try again.replaceKept([])
        #expect(try again.kept().isEmpty)
    }

    @Test func `a full disk is told by these as well`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        try database.replaceKept([value([1])])
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
