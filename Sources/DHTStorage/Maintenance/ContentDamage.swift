import DHTCore
import GRDB

import struct DHTCore.Record  // GRDB has one of its own

/// The content that sound records refer to, by digest: each with the key and the author of one such record.
struct ReferringRecords {
    private(set) var references: [Digest: (reference: ContentReference, key: [UInt8], author: Identity)] = [:]

    mutating func add(_ record: Record) {
        guard let reference = record.reference, references[reference.digest] == nil else { return }
        references[reference.digest] = (reference, Array(record.key), record.author)
    }
}

/// The damage of one content.
private struct ContentDamage {
    var isOutlineDamaged = false
    /// Pieces that are not what they must be, or are not there.
    var pieces: [Int] = []
    var missing: [Int] = []

    var isNone: Bool { !isOutlineDamaged && pieces.isEmpty && missing.isEmpty }

    func text(pieceCount: Int) -> String {
        func list(_ numbers: [Int]) -> String { numbers.map { "\($0 + 1)" }.joined(separator: ", ") }
        var parts: [String] = []
        if isOutlineDamaged { parts.append("its outline is damaged") }
        if !pieces.isEmpty { parts.append("damaged: piece \(list(pieces)) of \(pieceCount)") }
        if !missing.isEmpty { parts.append("not there: piece \(list(missing)) of \(pieceCount)") }
        return parts.joined(separator: "; ")
    }
}

extension SQLiteRecordStore {
    /// Looks at every part of every content.
    func lookAtContents(
        _ referring: ReferringRecords,
        author: (Identity) -> String,
        _ proof: ContentProof,
        _ check: inout StoreCheck
    ) throws(RecordStoreError) {
        func owner(_ key: [UInt8], _ identity: Identity) -> String {
            "of \"\(String(decoding: key, as: UTF8.self))\" by \(author(identity))"
        }

        let ids = try database.read { try Int64.fetchAll($0, sql: "SELECT id FROM content ORDER BY id") }
        var absent = referring.references
        for id in ids {
            guard let content = try content(id) else { continue }
            check.contents += 1
            let known = content.digest.flatMap { absent.removeValue(forKey: $0) }
            let whose = known.map { owner($0.key, $0.author) } ?? "of no record"
            let name = "content \(hexadecimal(content.digest?.bytes ?? [])) \(whose)"
            guard let told = content.reference, let reference = known?.reference ?? content.reference else {
                check.tellContent("\(name): its row is damaged")
                continue
            }
            guard told == reference else {
                check.tellContent(
                    "\(name): its row says \(told.length) bytes, its record \(reference.length)"
                )
                continue
            }
            let damage = try damage(of: reference, id, content.outline, known != nil, proof, &check)
            if !damage.isNone {
                check.tellContent("\(name): \(damage.text(pieceCount: reference.pieceCount))")
            }
        }
        for (digest, known) in absent.sorted(by: { $0.key < $1.key }) {
            let name = "content \(hexadecimal(digest.bytes)) \(owner(known.key, known.author))"
            check.tellContent("\(name): it is not there")
        }
        let strays = try database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(Self.strays)") }
        check.strays = strays ?? 0
        if check.strays > 0 { check.problems.append("pieces of no content: \(check.strays)") }
    }

    private func content(
        _ id: Int64
    ) throws(RecordStoreError) -> (digest: Digest?, reference: ContentReference?, outline: [UInt8])? {
        try database.read { database in
            let row = try Row.fetchOne(
                database,
                sql: "SELECT digest, length, outline FROM content WHERE id = ?",
                arguments: [id]
            )
            return row.map { row in
                let digest = Digest(row.bytes(at: 0)[...])
                let length = row.bits(at: 1).flatMap { UInt32(exactly: $0) }
                let reference = digest.flatMap { digest in
                    length.flatMap { ContentReference(length: $0, digest: digest) }
                }
                return (digest, reference, row.bytes(at: 2))
            }
        }
    }

    /// The damage of one content, looked for piece by piece: no more than one is in memory at a time.
    private func damage(
        of reference: ContentReference,
        _ id: Int64,
        _ outline: [UInt8],
        _ isReferred: Bool,
        _ proof: ContentProof,
        _ check: inout StoreCheck
    ) throws(RecordStoreError) -> ContentDamage {
        var damage = ContentDamage()
        let digests = proof.digests(reference, outline)
        damage.isOutlineDamaged = digests == nil
        for index in 0..<reference.pieceCount {
            let row = try database.read { database in
                try Row.fetchOne(
                    database,
                    sql: "SELECT bytes FROM piece WHERE content = ? AND number = ?",
                    arguments: [id, index]
                )?.bytes(at: 0)
            }
            guard let bytes = row else {
                // Content that no record refers to may still be arriving.
                if isReferred { damage.missing.append(index) }
                continue
            }
            check.pieces += 1
            if let digests, !proof.isPiece(bytes, digests[index]) { damage.pieces.append(index) }
        }
        return damage
    }
}

extension StoreCheck {
    fileprivate mutating func tellContent(_ problem: String) {
        damagedContents += 1
        if damagedContents <= Self.contentLimit { problems.append(problem) }
    }
}
