import DHTCore
import DHTStorage
import Foundation
import GRDB
import Testing

import struct DHTCore.Record

/// What bits that flip in the tables of long values come to. A piece's digest is its bytes' sum, 32 times.
struct ContentDamageTests {
    private static let proof = ContentProof(
        digests: { reference, outline in
            guard outline.count == reference.length(of: .outline), sum(outline) == reference.digest.bytes[0]
            else {
                return nil
            }
            return stride(from: 0, to: outline.count, by: 32).compactMap { Digest(outline[$0..<$0 + 32]) }
        },
        isPiece: { digest(sum($0)) == $1 }
    )

    private static func sum(_ bytes: [UInt8]) -> UInt8 { bytes.reduce(0, &+) }

    private static func digest(_ byte: UInt8) -> Digest? { Digest([UInt8](repeating: byte, count: 32)[...]) }

    private let folder: Folder
    private let store: SQLiteRecordStore
    /// Three pieces, that a record refers to.
    private let first = content(192, pieces: 3)
    /// Two, of which one is there; no record refers to them.
    private let second = content(9, pieces: 2)

    init() throws {
        folder = try Folder()
        store = try SQLiteRecordStore(in: folder)
        let outline = [UInt8](repeating: 1, count: 32) + [UInt8](repeating: 2, count: 32)
        try store.apply([
            .beginContent(first, outline: outline + [UInt8](repeating: 3, count: 32)),
            .putPiece([1], index: 0, of: first.digest), .putPiece([2], index: 1, of: first.digest),
            .putPiece([3], index: 2, of: first.digest), .put(referring(to: first)), .put(record(by: 2)),
            .beginContent(second, outline: [UInt8](repeating: 0, count: 63) + [9]),
            .putPiece([0], index: 0, of: second.digest),
        ])
    }

    private func look() throws -> StoreCheck {
        try store.check(verifies: { _ in true }, author: { "author-\($0.bytes[0])" }, proof: Self.proof)
    }

    private func change(_ sql: String) throws {
        try store.database.pool.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA foreign_keys = OFF")
            try $0.execute(sql: sql)
        }
    }

    private func name(_ reference: ContentReference) -> String {
        "content " + String(repeating: String(format: "%02x", reference.digest.bytes[0]), count: 32)
    }

    @Test func `sound content passes, and what no record refers to may be on its way`() throws {
        let check = try look()
        #expect(check.isSound && check.problems == [])
        #expect((check.contents, check.pieces) == (2, 4))
    }

    @Test(arguments: [
        ("UPDATE piece SET bytes = x'03' WHERE number = 1", "damaged: piece 2 of 3"),
        ("DELETE FROM piece WHERE number = 2", "not there: piece 3 of 3"),
        (
            "UPDATE piece SET bytes = x'0300' WHERE number < 2 AND content = 1",
            "damaged: piece 1, 2 of 3"
        ),
        ("UPDATE content SET outline = zeroblob(96) WHERE id = 1", "its outline is damaged"),
        ("UPDATE content SET length = 191999 WHERE id = 1", "its row says 191999 bytes, its record 192000"),
        ("DELETE FROM content WHERE id = 1", "it is not there"),
    ])
    func `it is told whose value is damaged, and where`(sql: String, problem: String) throws {
        try change(sql)
        let check = try look()
        #expect(!check.isSound && check.damagedContents == 1)
        #expect(check.problems.first == "\(name(first)) of \"key\" by author-1: \(problem)")
        #expect(check.damaged == 0 && check.faults == 0)
    }

    @Test func `a digest with a wrong bit is content of no record, and content that is not there`() throws {
        try change("UPDATE content SET digest = x'\(String(repeating: "c1", count: 32))' WHERE id = 1")
        let check = try look()
        #expect(check.damagedContents == 2)
        #expect(check.problems.last == "\(name(first)) of \"key\" by author-1: it is not there")
        let found = try store.contents().first { $0.reference == first }
        #expect(found?.hasOutline == false && found?.pieces == [] && found?.location == record().location)
    }

    @Test func `a record whose row names other content is damaged`() throws {
        try change("UPDATE record SET content = zeroblob(32) WHERE content IS NOT NULL")
        #expect(try look().damaged == 1)
        #expect(try store.record(at: record().location, by: author(1)) == nil)
    }

    @Test func `pieces of nothing are told of, and dropped at start`() throws {
        try change("UPDATE piece SET number = 1000 WHERE number = 2")
        try change("UPDATE piece SET content = 77 WHERE number = 1")
        try change("UPDATE piece SET number = -1 WHERE content = 2")
        let check = try look()
        #expect(check.strays == 3 && check.problems.last == "pieces of no content: 3")
        try store.dropStrays()
        #expect(try look().strays == 0)
        #expect(try store.contents().map(\.pieces) == [[], [0]])
    }

    @Test func `at start what a record says of its content counts, not what a row does`() throws {
        try change("UPDATE content SET length = 64000 WHERE id = 1")
        let found = try #require(try store.contents().first { $0.isReferred })
        #expect(found.reference == first && !found.hasOutline)
        try store.apply([.beginContent(first, outline: [])])
        #expect(try store.contents().first { $0.isReferred }?.hasOutline == true)
    }
}
