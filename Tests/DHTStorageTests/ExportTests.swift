import DHTCore
import DHTStorage
import Foundation
import Testing

import struct DHTCore.Record

extension ContentProof {
    /// An outline is one if it has the right length and ends as the content's digest does; a piece is one
    /// that begins as its digest.
    static let simple = ContentProof { reference, outline in
        guard outline.count == reference.length(of: .outline), outline.last == reference.digest.bytes.last
        else {
            return nil
        }
        return stride(from: 0, to: outline.count, by: 32).compactMap { Digest(outline[$0..<$0 + 32]) }
    } isPiece: { bytes, digest in
        bytes.first == digest.bytes.first
    }
}

/// Exports with long values and kept keys.
struct ExportTests {
    /// A long value of three pieces, whose digest is all `byte`.
    private struct Long {
        let reference: ContentReference
        let outline: [UInt8]
        let pieces: [[UInt8]]
        let record: Record

        init(_ byte: UInt8, revision: UInt64 = 1) throws {
            let digest = try #require(Digest([UInt8](repeating: byte, count: 32)[...]))
            reference = try #require(ContentReference(length: 128_700, digest: digest))
            outline =
                [1, 2].flatMap { [UInt8](repeating: $0, count: 32) }
                + [UInt8](repeating: byte, count: 32)
            pieces = [(1, 64_000), (2, 64_000), (byte, 700)].map { [UInt8](repeating: $0, count: $1) }
            let kind = Record.Kind.reference
            record = DHTStorageTests.record(
                by: byte,
                revision: revision,
                value: reference.encoded,
                kind: kind
            )
        }

        var changes: [RecordChange] {
            [.put(record), .beginContent(reference, outline: outline)]
                + pieces.enumerated().map { .putPiece($1, index: $0, of: reference.digest) }
        }

        func isWhole(in store: SQLiteRecordStore) throws -> Bool {
            for (index, piece) in pieces.enumerated() {
                guard try store.part(.piece(index), of: reference.digest)?.bytes == piece else {
                    return false
                }
            }
            return try store.part(.outline, of: reference.digest)?.bytes == outline
        }
    }

    /// As the export has the node of the directory.
    private static let owner = "author-\(author(1).prefix)"

    private let folders: (one: Folder, two: Folder)
    private let kept = RenewedValue(
        key: [0xFF, 1],
        lifetime: 3600,
        revision: Revision(rawValue: .max - 7)
    )

    init() throws { folders = (try Folder(), try Folder()) }

    private func exported(_ longs: [Long]) throws -> (lines: [String], summary: ExportSummary) {
        let store = try SQLiteRecordStore(in: folders.one)
        for long in longs { try store.apply(long.changes) }
        try store.database.rememberRenewed([kept.key: kept])
        return try export(store)
    }

    private func export(_ store: SQLiteRecordStore) throws -> (lines: [String], summary: ExportSummary) {
        var lines: [String] = []
        let summary = try store.export(author: { "author-\($0.prefix)" }, proof: .simple) { lines.append($0) }
        return (lines, summary)
    }

    private func imported(
        _ lines: [String]
    ) throws -> (
        store: SQLiteRecordStore, summary: RecordImport<SQLiteRecordStore>.Summary, [RenewedValue]
    ) {
        var kept: [RenewedValue] = []
        let store = try SQLiteRecordStore(in: folders.two)
        var task = RecordImport(
            into: store,
            unixMilliseconds: .max,
            decode: { decoded($0) },
            verifies: { _ in true },
            proof: .simple
        )
        task.keep = { value, author in
            kept.append(value)
            return author == Self.owner
        }
        for line in lines { try task.take(Array(line.utf8)) }
        try task.finish()
        return (store, task.summary, kept)
    }

    @Test func `long values and kept keys come back as they were`() throws {
        let longs = try [Long(8), Long(9)]
        let (lines, summary) = try exported(longs)
        #expect((summary.records, summary.contents, summary.kept, summary.incomplete) == (2, 2, 1, 0))
        #expect(RecordImport<SQLiteRecordStore>.refusal(ofFirst: Array(lines[0].utf8)) == nil)
        let (store, taken, keys) = try imported(lines)
        #expect(taken.isWhole && taken.problems.isEmpty)
        #expect((taken.stored, taken.pieces, taken.kept, taken.foreign) == (2, 6, 1, 0))
        #expect(keys == [kept])
        for long in longs { #expect(try long.isWhole(in: store)) }
        store.database.close()
        let (again, second, _) = try imported(lines)
        #expect(second.isWhole && second.known == 2)
        for long in longs { #expect(try long.isWhole(in: again)) }
        // And of it again the same export, but for the keys: they are the caller's to keep.
        let rest = lines.filter { !$0.contains("kept") }.dropLast()
        #expect(try export(again).lines.dropLast() == rest)
    }

    @Test func `what was damaged on the disk is left out, and counted`() throws {
        let store = try SQLiteRecordStore(in: folders.one)
        let longs = try [Long(7), Long(8), Long(9)]
        for long in longs { try store.apply(long.changes) }
        try store.apply([.putPiece([9, 9], index: 1, of: longs[0].reference.digest)])
        try store.apply([.removeContent(longs[1].reference.digest)])
        let (lines, summary) = try export(store)
        #expect((summary.records, summary.contents, summary.incomplete) == (3, 1, 2))
        let (other, taken, _) = try imported(lines)
        #expect(!taken.isWhole && taken.incomplete == 2 && taken.bad == 0 && !taken.isCutOff)
        #expect(try longs[2].isWhole(in: other))
        #expect(try other.part(.piece(0), of: longs[0].reference.digest)?.bytes == longs[0].pieces[0])
    }

    @Test(arguments: 1...13)
    func `an export that was cut off is told, and all before the cut taken`(count: Int) throws {
        let longs = try [Long(8), Long(9)]
        let all = try exported(longs).lines
        #expect(all.count == 13)
        var lines = Array(all.prefix(count))
        if count < 13 { lines.append(String(all[count].prefix(all[count].utf8.count / 2))) }
        let (store, summary, _) = try imported(lines)
        #expect(summary.isCutOff == (count < 13))
        #expect(summary.isWhole == (count == 13))
        #expect(summary.stored == min(count - 1, 2))
        #expect(try longs[0].isWhole(in: store) == (count >= 7))
    }

    @Test func `a damaged line loses what is on it and nothing else`() throws {
        let longs = try [Long(8), Long(9)]
        let all = try exported(longs).lines
        // Header, two records, and of each long value its outline and three pieces.
        for index in 1..<12 {
            let target = try Folder()
            var lines = all
            lines[index] = "x" + lines[index].dropFirst()
            let store = try SQLiteRecordStore(in: target)
            var task = RecordImport(
                into: store,
                unixMilliseconds: .max,
                decode: { decoded($0) },
                verifies: { _ in true },
                proof: .simple
            )
            task.keep = { _, _ in true }
            for line in lines { try task.take(Array(line.utf8)) }
            try task.finish()
            #expect(!task.summary.isWhole && !task.summary.isCutOff && task.summary.bad > 0, "line \(index)")
            #expect(task.summary.problems.first?.line == index + 1)
            #expect(try longs[0].isWhole(in: store) == ![1, 3, 4, 5, 6].contains(index), "line \(index)")
            #expect(try longs[1].isWhole(in: store) == ![2, 7, 8, 9, 10].contains(index), "line \(index)")
            #expect(task.summary.kept == (index == 11 ? 0 : 1))
        }
    }

    @Test func `a line that is missing in the middle is missed at the end`() throws {
        var lines = try exported([Long(8)]).lines
        lines.remove(at: 1)
        let summary = try imported(lines).summary
        #expect(summary.isCutOff && summary.unreferred == 1 && summary.pieces == 0)
        #expect(summary.problems.last?.reason == "of the 7 lines before the end, 1 are missing")
    }

    @Test func `pieces are checked, and those nobody refers to left out`() throws {
        let long = try Long(8)
        var lines = try exported([long]).lines
        let wrong = Data([UInt8](repeating: 3, count: 64_000)).base64EncodedString()
        let right = Data(long.pieces[1]).base64EncodedString()
        lines[4] = lines[4].replacing(right, with: wrong)
        let (store, summary, _) = try imported(lines)
        #expect((summary.bad, summary.pieces, summary.incomplete) == (1, 2, 1))
        #expect(try store.part(.piece(1), of: long.reference.digest) == nil)
    }

    @Test func `the long value of a record that is there in a newer revision is not taken, and not missed`()
        throws
    {
        let lines = try exported([Long(8)]).lines
        let store = try SQLiteRecordStore(in: folders.two)
        try store.apply([.put(record(by: 8, revision: 2))])
        store.database.close()
        let (_, summary, _) = try imported(lines)
        #expect(summary.isWhole && summary.known == 1 && summary.pieces == 0)
    }

    @Test func `two exports one behind the other are both taken, and the first one's end missed`() throws {
        let lines = try exported([Long(8)]).lines
        let (store, both, _) = try imported(lines + lines)
        #expect(both.isWhole && both.known == 1)
        store.database.close()
        #expect(try !imported(lines.dropLast() + lines).summary.isWhole)
    }

    @Test func `what is no export, older or newer is refused in words`() {
        func refusal(_ line: String) -> String? {
            RecordImport<SQLiteRecordStore>.refusal(ofFirst: Array(line.utf8))
        }
        #expect(refusal(#"{"format":2,"schema":1}"#) == nil)
        #expect(refusal(#"{"format":3,"schema":7}"#)?.contains("newer version") == true)
        #expect(refusal(#"{"schema":1,"record":"AAAA"}"#)?.contains("older version") == true)
        for line in ["", "{}", "[1]", #"{"format":1,"schema":1}"#, "SQLite format 3"] {
            #expect(refusal(line)?.contains("no export") == true)
        }
    }
}
