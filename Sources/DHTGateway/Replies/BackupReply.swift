/// A copy of a node's database.
package struct BackupReply: Codable, Hashable, Sendable {
    package private(set) var schema = 1
    /// Records in it, tombstones among them.
    package var records: Int
    package var bytes: Int
    /// Seconds that it took, by whoever wrote it.
    package var seconds: Double?
    /// The file that has it; `nil` on standard output.
    package var path: String?

    package init(records: Int, bytes: Int) { (self.records, self.bytes) = (records, bytes) }
}

/// A copy of a node's database whose bytes are read as they are taken.
package struct OpenedBackup: Sendable {
    package let reply: BackupReply
    package let source: ValueSource

    package init(_ reply: BackupReply, _ source: ValueSource) { (self.reply, self.source) = (reply, source) }
}
