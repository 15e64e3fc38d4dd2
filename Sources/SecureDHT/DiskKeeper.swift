import DHTCore
import DHTEngine
import DHTStorage
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Keeps what a node must not forget on disk, without its event loop ever waiting for a disk.
///
/// One commit is under way at a time; whatever is to be written meanwhile waits and shares the next one, so
/// that a flush of the disk is paid for once by all stores of a turn. Reads do not wait for writes. A ticket
/// is reported done once what it asked for is committed.
final class DiskKeeper: Sendable {
    typealias Completion = @Sendable ([(Ticket, StorageOutcome)]) -> Void

    private struct State {
        var changes: [(ticket: Ticket, changes: [RecordChange])] = []
        var revisions: [NodeID: Revision?] = [:]
        var contacts: [RememberedContact]?
        var kept: [RememberedValue]?
        var isCommitting = false
        /// Who waits until nothing is left to be written.
        var waiting: [CheckedContinuation<Void, Never>] = []

        var isEmpty: Bool { changes.isEmpty && revisions.isEmpty && contacts == nil && kept == nil }
    }

    private let store: SQLiteRecordStore
    private let pool: NIOThreadPool
    private let logger: Logger
    private let state = Mutex(State())
    private let completion = Mutex<Completion?>(nil)

    init(_ store: SQLiteRecordStore, pool: NIOThreadPool = .singleton, logger: Logger) {
        (self.store, self.pool, self.logger) = (store, pool, logger)
    }

    /// Takes what became of tickets; called on threads of the pool.
    func report(to completion: @escaping Completion) { self.completion.withLock { $0 = completion } }

    /// How often a damaged record was met since the start.
    var damaged: UInt64 { store.damaged }

    // MARK: Wishes

    func load(_ ticket: Ticket, at location: NodeID, by authors: [Identity]) {
        pool.submit { [self] _ in finish([(ticket, read(location, authors))]) }
    }

    func loadPart(_ ticket: Ticket, _ part: ContentPart, of content: Digest) {
        pool.submit { [self] _ in
            let outcome = answer { () throws(RecordStoreError) in .part(try store.part(part, of: content)) }
            finish([(ticket, outcome)])
        }
    }

    func survey(_ ticket: Ticket) {
        pool.submit { [self] _ in
            let outcome = answer { () throws(RecordStoreError) in .surveyed(try store.unreferredContent()) }
            finish([(ticket, outcome)])
        }
    }

    func apply(_ ticket: Ticket, _ changes: [RecordChange]) {
        write { $0.changes.append((ticket, changes)) }
    }

    func note(_ revision: Revision?, at location: NodeID) {
        write { $0.revisions.updateValue(revision, forKey: location) }
    }

    func remember(_ contacts: [RememberedContact]) { write { $0.contacts = contacts } }

    func remember(_ kept: [RememberedValue]) { write { $0.kept = kept } }

    /// Returns when all that was asked for is written.
    func flush() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.isCommitting { state.waiting.append(continuation) }
                return !state.isCommitting
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Lets go of the directory. What was not flushed is lost.
    func close() { store.database.close() }

    // MARK: Threads of the pool

    private func write(_ wish: (inout State) -> Void) {
        let starts = state.withLock { state in
            wish(&state)
            defer { state.isCommitting = true }
            return !state.isCommitting
        }
        if starts { pool.submit { [self] _ in commit() } }
    }

    /// Writes until nothing is left to be written.
    private func commit() {
        while let turn = nextTurn() {
            if !turn.changes.isEmpty {
                let results = store.apply(batches: turn.changes.map(\.changes))
                finish(zip(turn.changes, results).map { ($0.ticket, Self.outcome(of: $1)) })
                let failures = results.compactMap { if case .failure(let error) = $0 { error } else { nil } }
                if let failure = failures.first {
                    logger.error(
                        "the store cannot be written: records are refused",
                        metadata: ["error": "\(failure)", "count": "\(failures.count)"]
                    )
                }
            }
            do throws(RecordStoreError) {
                if !turn.revisions.isEmpty { try store.database.noteRevisions(turn.revisions) }
                if let contacts = turn.contacts { try store.database.replaceContacts(contacts) }
                if let kept = turn.kept { try store.database.replaceKept(kept) }
            } catch {
                // Both are for the next start, which does without.
                logger.error("the node's memory cannot be written", metadata: ["error": "\(error)"])
            }
        }
    }

    private func nextTurn() -> State? {
        let (turn, waiting) = state.withLock { state -> (State?, [CheckedContinuation<Void, Never>]) in
            if state.isEmpty {
                defer { state = State() }
                return (nil, state.waiting)
            }
            let turn = state
            state = State(isCommitting: true, waiting: turn.waiting)
            return (turn, [])
        }
        for continuation in waiting { continuation.resume() }
        return turn
    }

    private func read(_ location: NodeID, _ authors: [Identity]) -> StorageOutcome {
        answer { () throws(RecordStoreError) in .loaded(try store.records(at: location, by: authors)) }
    }

    private func answer(_ read: () throws(RecordStoreError) -> StorageOutcome) -> StorageOutcome {
        do throws(RecordStoreError) { return try read() } catch {
            logger.error("the store cannot be read", metadata: ["error": "\(error)"])
            return .unavailable
        }
    }

    private static func outcome(of result: Result<Void, RecordStoreError>) -> StorageOutcome {
        switch result {
        case .success: .applied
        case .failure(.full): .full
        case .failure(.unavailable): .unavailable
        }
    }

    private func finish(_ outcomes: [(Ticket, StorageOutcome)]) { completion.withLock { $0 }?(outcomes) }
}
