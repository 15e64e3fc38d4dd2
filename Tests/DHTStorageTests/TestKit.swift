import DHTCore
import DHTStorage
import GRDB
@_exported import TestKit

extension Folder {
    /// Where a node's database would be.
    var database: String { file("records.sqlite") }
}

/// How a batch ended, to compare.
enum Ending: Equatable {
    case stored
    case full
    case unavailable

    init(_ result: Result<Void, RecordStoreError>) {
        switch result {
        case .success: self = .stored
        case .failure(.full): self = .full
        case .failure(.unavailable): self = .unavailable
        }
    }
}

extension NodeDatabase {
    /// The database in a folder, of a node whose identity is ones.
    convenience init(in folder: Folder, owner: UInt8? = 1, durability: Durability = .normal) throws {
        try self.init(directory: folder.path, owner: owner.map { author($0) }, durability: durability)
    }

    /// No more pages than it has, and `room` more: a full disk. `nil` makes room.
    func confine(room: Int?) throws {
        try pool.writeWithoutTransaction {
            let pages = try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0
            try $0.execute(sql: "PRAGMA max_page_count = \(room.map { pages + $0 } ?? 1 << 30)")
        }
    }
}

extension SQLiteRecordStore {
    convenience init(_ database: NodeDatabase) throws { try self.init(database, decode: { decoded($0) }) }

    convenience init(in folder: Folder, durability: NodeDatabase.Durability = .normal) throws {
        try self.init(NodeDatabase(in: folder, durability: durability))
    }

    var all: [DHTCore.Record] {
        get throws {
            var records: [DHTCore.Record] = []
            try forEach { records.append($0) }
            return records
        }
    }
}

extension ContentProof {
    /// Where there is no content to be looked at.
    static var none: Self { Self(digests: { _, _ in nil }, isPiece: { _, _ in false }) }
}
