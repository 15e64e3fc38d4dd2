import DHTCore
import GRDB

import struct DHTCore.Record  // GRDB has one of its own

/// The findings of a look at everything in a store.
package struct StoreCheck: Hashable, Sendable {
    /// Problems told in full; the others are only counted.
    package static let problemLimit = 20
    /// Damaged contents told in full; the others are only counted.
    package static let contentLimit = 1000

    /// Rows, sound or not.
    package fileprivate(set) var records = 0
    /// Of the records that are sound.
    package fileprivate(set) var byteCount = 0
    /// Sound records that say that there is no value.
    package fileprivate(set) var tombstones = 0
    /// Rows whose bytes are no record, or not the one their columns tell of.
    package fileprivate(set) var damaged = 0
    /// Records that their author did not sign, for this network.
    package fileprivate(set) var forged = 0
    /// Sound records whose signatures were not looked at, because nobody knew the network they are for.
    package fileprivate(set) var unverified = 0
    /// Long values that records refer to, or may yet, and their pieces.
    package internal(set) var contents = 0
    package internal(set) var pieces = 0
    /// Of these contents, those of which some is not what it must be, or not there though a record refers
    /// to it.
    package internal(set) var damagedContents = 0
    /// Pieces of no content.
    package internal(set) var strays = 0
    /// Faults that SQLite finds in the file itself.
    package fileprivate(set) var faults = 0
    /// The first problems, a line each.
    package internal(set) var problems: [String] = []

    package var isSound: Bool {
        damaged == 0 && forged == 0 && faults == 0 && damagedContents == 0 && strays == 0
    }

    fileprivate mutating func tell(_ problem: String) {
        if problems.count < Self.problemLimit { problems.append(problem) }
    }
}

extension SQLiteRecordStore {
    /// Looks at the file and at every record in it. Changes nothing.
    ///
    /// - Parameters:
    ///   - verifies: Whether a record's signature is its author's; `nil` if that cannot be told.
    ///   - author: An author as the operator knows it.
    ///   - proof: The check of the parts of content, by their digests.
    ///   - progress: Told now and then how many rows were looked at.
    package func check(
        verifies: ((Record) -> Bool)?,
        author: (Identity) -> String,
        proof: ContentProof,
        progress: (Int) -> Void = { _ in }
    ) throws(RecordStoreError) -> StoreCheck {
        var check = StoreCheck()
        var referring = ReferringRecords()
        let words = try database.read {
            try String.fetchAll($0, sql: "PRAGMA integrity_check(\(StoreCheck.problemLimit))")
        }
        for word in words where word != "ok" {
            check.faults += 1
            check.tell("file: \(word)")
        }
        do throws(RecordStoreError) {
            try forEachRow { row in
                look(at: row, verifies, &check, &referring)
                if check.records % Self.pageLength == 0 { progress(check.records) }
            }
            try lookAtContents(referring, author: author, proof, &check)
        } catch .unavailable(let reason) where check.faults > 0 {
            // The file is told to be damaged, so that not all can be read is no surprise.
            check.tell("file: \(reason)")
        }
        progress(check.records)
        return check
    }

    private func look(
        at row: StoredRow,
        _ verifies: ((Record) -> Bool)?,
        _ check: inout StoreCheck,
        _ referring: inout ReferringRecords
    ) {
        check.records += 1
        guard let record = row.record(decode) else {
            check.damaged += 1
            check.tell(
                "row \(row.id) at \(hexadecimal(row.location)): its bytes are not the record it tells of"
            )
            return
        }
        if let verifies, !verifies(record) {
            check.forged += 1
            check.tell("row \(row.id) at \(record.location): its author did not sign it for this network")
            return
        }
        if verifies == nil { check.unverified += 1 }
        check.byteCount += record.bytes.count
        if record.isTombstone { check.tombstones += 1 }
        referring.add(record)
    }
}
