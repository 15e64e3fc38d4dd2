import DHTCore
import Foundation
import GRDB
import Testing

@testable import DHTStorage

/// A copy of a database in use, and a directory made of one.
struct DatabaseCopyTests {
    /// Values that fill a page each.
    private func filled(_ count: Int, in folder: Folder) throws -> SQLiteRecordStore {
        let store = try SQLiteRecordStore(in: folder)
        let value = [UInt8](repeating: 7, count: 600)
        try store.apply(
            (0..<count).map { .put(record(at: UInt8($0 % 250), by: UInt8($0 / 250), value: value)) }
        )
        return store
    }

    private func bytes(of copy: DatabaseCopy) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let piece = try copy.bytes(at: bytes.count, count: 10_000)
            guard !piece.isEmpty else { return bytes }
            bytes += piece
        }
    }

    @discardableResult
    private func restore(
        _ bytes: [UInt8],
        to folder: Folder,
        force: Bool = false,
        isForAnother: Bool = false
    ) throws -> DatabaseRestore.Summary {
        let restore = try DatabaseRestore(folder.path, isReplacing: force)
        for start in stride(from: 0, to: bytes.count, by: 5000) {
            try restore.append(Array(bytes[start..<min(start + 5000, bytes.count)]))
        }
        return try restore.finish(isForAnother: isForAnother)
    }

    // MARK: The copy

    @Test func `a copy ends though others write between all of its steps, and has none of that`() throws {
        let (folder, other) = (try Folder(), try Folder())
        let store = try filled(2000, in: folder)
        let before = try store.all
        var steps = 0
        let copy = try store.database.copy { _, _ in
            steps += 1
            // As fast as it is copied, and under keys that it has.
            let new = record(
                at: UInt8(steps % 250),
                revision: UInt64(steps + 1),
                value: [UInt8](repeating: 9, count: 600)
            )
            #expect(throws: Never.self) {
                try store.apply([.put(new), .put(record(at: 255, by: UInt8(steps % 256)))])
            }
            return true
        }
        #expect(steps > 5 && copy.records == 2000)
        #expect(try store.all != before)
        #expect(try restore(bytes(of: copy), to: other).records == 2000)
        #expect(try SQLiteRecordStore(in: other).all == before)
    }

    @Test func `what is acknowledged before a copy begins is in it, and of what comes meanwhile a beginning`()
        async throws
    {
        let (folder, other) = (try Folder(), try Folder())
        let store = try filled(1000, in: folder)
        let flag = Flag()
        let writer = Task.detached {
            var written = 0
            while !flag.isSet {
                written += 1
                try store.apply([.put(record(at: 252, by: UInt8(written % 250), revision: UInt64(written)))])
                flag.count = written
            }
        }
        try await eventually("it writes") { flag.count > 50 }
        let before = flag.count
        let copy = try store.database.copy { _, _ in
            // Until somebody wrote.
            let seen = flag.count
            while flag.count == seen, !writer.isCancelled { usleep(100) }
            return true
        }
        #expect(flag.count > before)
        flag.isSet = true
        try await writer.value
        try restore(bytes(of: copy), to: other)
        let found = try SQLiteRecordStore(in: other).all.filter { $0.location == record(at: 252).location }
        let revisions = found.map(\.revision.rawValue).sorted()
        let last = try #require(revisions.last)
        #expect(last >= before)
        #expect(revisions == Array((last - UInt64(min(last, 250)) + 1)...last), "one state, and no mixture")
    }

    @Test func `the copy has no name, its room is given back, and there is one at a time`() throws {
        let folder = try Folder()
        let store = try filled(500, in: folder)
        let names = try folder.names()
        var copy: DatabaseCopy? = try store.database.copy { _, _ in
            #expect(throws: DatabaseCopyError.underWay) { try store.database.copy() }
            return true
        }
        #expect(try folder.names() == names)
        #expect(copy?.length ?? 0 > 300_000)
        #expect(throws: DatabaseCopyError.underWay, "as long as somebody reads it") {
            try store.database.copy()
        }
        copy = nil
        #expect(throws: DatabaseCopyError.unwanted) { try store.database.copy { done, _ in done > 100 } }
        #expect(throws: Never.self) { try store.database.copy() }
        #expect(try folder.names() == names)
    }

    @Test func `what a kill left of a copy or a restoration is gone after the next start`() throws {
        let folder = try Folder()
        try NodeDatabase(in: folder).close()
        for name in ["copy-aBc123", "restored", "restored-wal"] {
            try folder.write("left", to: "records.sqlite.\(name)")
        }
        try NodeDatabase(in: folder).close()
        #expect(try folder.names() == ["lock", "records.sqlite"])
    }

    // MARK: The restoration

    @Test func `all that a node remembers is in a copy`() throws {
        let (folder, other) = (try Folder(), try Folder())
        let store = try filled(10, in: folder)
        let kept = RenewedValue(key: [7], lifetime: 60, revision: Revision(rawValue: 7))
        let own = OwnRevisions(last: Revision(rawValue: 9), earlier: [Revision(rawValue: 3)])
        let endpoint = try #require(Endpoint(addressBytes: [127, 0, 0, 1], port: 7))
        let contact = RememberedContact(identity: author(3), endpoint: endpoint, answered: 5)
        let digest = certain(Digest([UInt8](repeating: 4, count: 32)[...]))
        let reference = try #require(ContentReference(length: 1000, digest: digest))
        try store.database.rememberRenewed([kept.key: kept])
        try store.database.rememberRevisions([record(at: 1).location: own])
        try store.database.replaceContacts([contact])
        try store.apply([
            .beginContent(reference, outline: [1, 2]), .putPiece([3, 4], index: 0, of: reference.digest),
        ])
        let copy = try bytes(of: store.database.copy())

        #expect(try restore(copy, to: other).owner == author(1))
        #expect(try other.names() == ["lock", "records.sqlite"])
        #expect(other.mode("records.sqlite") == 0o600)
        let restored = try SQLiteRecordStore(in: other)
        #expect(try restored.all == store.all)
        #expect(try restored.database.kept() == [kept])
        #expect(try restored.database.revisions() == [record(at: 1).location: own])
        #expect(try restored.database.contacts() == [contact])
        #expect(try restored.part(.piece(0), of: reference.digest)?.bytes == [3, 4])

        let third = try Folder()
        #expect(try restore(copy, to: third, isForAnother: true).owner == nil)
        let inherited = try SQLiteRecordStore(NodeDatabase(in: third, owner: 2))
        #expect(try inherited.all == store.all)
        #expect(try inherited.database.kept() == [] && inherited.database.revisions() == [:])
    }

    @Test func `a database that is there stays, with all that is in its log`() throws {
        let (folder, other) = (try Folder(), try Folder())
        let store = try filled(10, in: folder)
        let copy = try bytes(of: store.database.copy())
        #expect(throws: DatabaseRestoreError.directory(.inUse(directory: folder.path))) {
            try restore(copy, to: folder, force: true)
        }
        // As a crash leaves it.
        let crashed = try Folder()
        let running = try filled(3, in: crashed)
        for name in ["", "-wal"] {
            let bytes = try Data(contentsOf: URL(filePath: running.database.path + name))
            try other.write(Array(bytes), to: "records.sqlite" + name)
        }
        #expect(other.bytes("records.sqlite-wal")?.isEmpty == false)
        #expect(throws: DatabaseRestoreError.occupied(path: other.database)) { try restore(copy, to: other) }
        #expect(try restore(copy, to: other, force: true).former == other.database + ".bak")
        #expect(try restore(copy, to: other, force: true).former == other.database + ".bak2")
        #expect(
            try other.names() == ["lock", "records.sqlite", "records.sqlite.bak", "records.sqlite.bak2"]
        )
        #expect(try SQLiteRecordStore(in: other).all == store.all)

        let former = try Folder()
        try former.write(#require(other.bytes("records.sqlite.bak")), to: "records.sqlite")
        #expect(try SQLiteRecordStore(in: former).all == running.all)
    }

    @Test func `a database that cannot be read gives way with its log`() throws {
        let (folder, other) = (try Folder(), try Folder())
        let copy = try bytes(of: filled(10, in: folder).database.copy())
        try other.write("this is no database", to: "records.sqlite")
        try other.write("nor is this a log", to: "records.sqlite-wal")
        try restore(copy, to: other, force: true)
        #expect(
            try other.names() == [
                "lock", "records.sqlite", "records.sqlite.bak", "records.sqlite.bak-wal",
            ]
        )
        #expect(try SQLiteRecordStore(in: other).count == 10)
    }

    private func refusal(_ bytes: [UInt8]) throws -> NodeDatabaseError? {
        let folder = try Folder()
        defer { #expect((try? folder.names()) == ["lock"], "nothing is left") }
        do { try restore(bytes, to: folder) } catch DatabaseRestoreError.backup(let error) { return error }
        return nil
    }

    @Test(arguments: [0, 50, 99, 4095, 4096, 200_000, -1])
    func `a backup that is cut off is refused`(length: Int) throws {
        let folder = try Folder()
        let copy = try bytes(of: filled(500, in: folder).database.copy())
        let cut = Array(copy[..<(length < 0 ? copy.count + length : length)])
        switch try refusal(cut) {
        case .noDatabase: #expect(length < 100)
        case .damaged(_, let problem): #expect(problem == "it has \(cut.count) bytes of \(copy.count)")
        case let other: Issue.record("\(String(describing: other))")
        }
    }

    @Test func `a foreign, a newer and a damaged file are refused`() throws {
        let folder = try Folder()
        let copy = try bytes(of: filled(500, in: folder).database.copy())
        var foreign = copy
        foreign[68] ^= 1
        guard case .foreign = try refusal(foreign) else {
            Issue.record("foreign")
            return
        }
        var newer = copy
        newer[63] += 1
        guard case .newer = try refusal(newer) else {
            Issue.record("newer")
            return
        }
        var damaged = copy
        for index in 4096 * 20..<4096 * 40 { damaged[index] ^= 0xA5 }
        guard case .damaged = try refusal(damaged) else {
            Issue.record("damaged")
            return
        }
        guard case .noDatabase = try refusal(Array("no database".utf8) + copy) else {
            Issue.record("no database")
            return
        }
    }
}

/// Shared by two threads of a test.
private final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var state = (isSet: false, count: 0)

    var isSet: Bool {
        get { lock.withLock { state.isSet } }
        set { lock.withLock { state.isSet = newValue } }
    }
    var count: Int {
        get { lock.withLock { state.count } }
        set { lock.withLock { state.count = newValue } }
    }
}
