import DHTCore
import DHTEngine
import DHTEnvelope
import DHTStorage

/// The storage of a node: on disk, or in memory for as long as its process lives.
///
/// A ticket is done at once in memory, and its outcome is returned; for a disk `nil` is returned, and the
/// outcome goes to the function given to ``report(to:)``. In memory, state that would outlive the process is
/// dropped.
struct RecordStorage: Sendable {
    private let disk: DiskStorage?
    private var memory = MemoryRecordStore()

    /// `nil`: in memory.
    init(_ disk: DiskStorage?) { self.disk = disk }

    var isOnDisk: Bool { disk != nil }
    /// Why what is to be kept is not, in words; `nil` as long as it is.
    var problem: String? { disk?.problem }

    /// Takes what became of tickets; called on other threads.
    func report(to completed: @escaping @Sendable ([(Ticket, StorageOutcome)]) -> Void) {
        disk?.report(to: completed)
    }

    // MARK: The engine's tickets

    func load(_ ticket: Ticket, at location: NodeID, by authors: [Identity]) -> StorageOutcome? {
        guard let disk else { return .loaded(memory.records(at: location, by: authors)) }
        disk.load(ticket, at: location, by: authors)
        return nil
    }

    func loadPart(_ ticket: Ticket, _ part: ContentPart, of content: Digest) -> StorageOutcome? {
        guard let disk else { return .part(memory.part(part, of: content)) }
        disk.loadPart(ticket, part, of: content)
        return nil
    }

    func survey(_ ticket: Ticket) -> StorageOutcome? {
        guard let disk else { return .surveyed(memory.unreferredContent()) }
        disk.survey(ticket)
        return nil
    }

    mutating func apply(_ ticket: Ticket, _ changes: [RecordChange]) -> StorageOutcome? {
        if let disk {
            disk.apply(ticket, changes)
            return nil
        }
        do throws(RecordStoreError) {
            try memory.apply(changes)
            return .applied
        } catch {
            return .full
        }
    }

    /// Stores a piece of a user's value, which is read from where it is.
    mutating func importPiece(_ ticket: Ticket, of content: Content, index: Int) -> StorageOutcome? {
        if let disk {
            disk.importPiece(ticket, of: content, index: index)
            return nil
        }
        guard let bytes = content.piece(index) else { return .unavailable }
        return apply(ticket, [.putPiece(bytes, index: index, of: content.reference.digest)])
    }

    // MARK: State that outlives the process

    /// The last revisions of ours at a location; `nil`: there are none.
    func record(_ revisions: OwnRevisions?, at location: NodeID) { disk?.record(revisions, at: location) }

    /// Our own values that are kept alive, by key; `nil`: kept no more.
    func record(_ values: [[UInt8]: RenewedValue?]) { disk?.record(values) }

    func remember(_ contacts: [RememberedContact]) { disk?.remember(contacts) }

    /// Tells the operator if another process wanted the directory.
    func lookForRival() { disk?.lookForRival() }

    /// Returns when all that was asked for is written.
    func flush() async { await disk?.flush() }

    /// Lets go of the directory.
    func close() { disk?.close() }

    /// The size of the database on the disk; `nil` if it cannot be told, or there is no database.
    func size() async -> DatabaseSize? { await disk?.size() }

    /// Makes the file shorter, if it is to be; then `next` is called with the time until it is to be asked
    /// again. Never, in memory.
    func tidy(_ next: @escaping @Sendable (Interval) -> Void) { disk?.tidy(next) }

    /// A copy of the database as it is now; `nil`: there is none. Blocks its thread.
    ///
    /// - Parameter isWanted: Told how many pages of how many are copied; whether to go on.
    func copy(isWanted: (Int, Int) -> Bool) throws(DatabaseCopyError) -> DatabaseCopy? {
        try disk?.store.database.copy(isWanted: isWanted)
    }
}
