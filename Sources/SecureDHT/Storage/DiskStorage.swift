import CoreMetrics
import DHTCore
import DHTEngine
import DHTEnvelope
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
final class DiskStorage: Sendable {
    /// Takes what became of tickets. A closure that a lock lends by itself is wrapped once more each time,
    /// and every call goes through all the wrappings: so it is behind a reference.
    private final class Listener: Sendable {
        let completed: @Sendable ([(Ticket, StorageOutcome)]) -> Void

        init(_ completed: @escaping @Sendable ([(Ticket, StorageOutcome)]) -> Void) {
            self.completed = completed
        }
    }

    /// A piece of a user's value that is still where the user left it.
    private struct Import {
        let ticket: Ticket
        let content: Content
        let index: Int
    }

    private struct State {
        var imports: [Import] = []
        var changes: [(ticket: Ticket, changes: [RecordChange])] = []
        var revisions: [NodeID: OwnRevisions?] = [:]
        var contacts: [RememberedContact]?
        /// By key.
        var kept: [[UInt8]: RenewedValue?] = [:]
        var isCommitting = false
        /// Callers of ``flush()``, which wait until nothing is left to be written.
        var waiting: [CheckedContinuation<Void, Never>] = []

        var isEmpty: Bool {
            changes.isEmpty && imports.isEmpty && revisions.isEmpty && contacts == nil && kept.isEmpty
        }
    }

    let store: SQLiteRecordStore
    let pool: NIOThreadPool
    /// How long a commit takes.
    private let commits: Timer?
    private let logger: Logger
    private let state = Mutex(State())
    private let listener = Mutex<Listener?>(nil)
    private let trouble = Mutex(StoreTrouble())
    let shrinking = Mutex(Shrinking())
    /// Kept values that could not be written down yet.
    private let unwritten = Mutex<[[UInt8]: RenewedValue?]>([:])

    init(
        _ store: SQLiteRecordStore,
        pool: NIOThreadPool = .singleton,
        commits: Timer? = nil,
        logger: Logger
    ) {
        (self.store, self.pool, self.commits, self.logger) = (store, pool, commits, logger)
    }

    /// Takes what became of tickets; called on threads of the pool.
    func report(to completed: @escaping @Sendable ([(Ticket, StorageOutcome)]) -> Void) {
        listener.withLock { $0 = Listener(completed) }
    }

    /// Why what is to be kept is not, in words; `nil` as long as it is.
    var problem: String? { store.database.loss ?? trouble.withLock { $0.reason } }

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

    /// The piece is read when it is its turn to be written, so that no more of a value is in memory.
    func importPiece(_ ticket: Ticket, of content: Content, index: Int) {
        write { $0.imports.append(Import(ticket: ticket, content: content, index: index)) }
    }

    func record(_ revisions: OwnRevisions?, at location: NodeID) {
        write { $0.revisions.updateValue(revisions, forKey: location) }
    }

    func remember(_ contacts: [RememberedContact]) { write { $0.contacts = contacts } }

    /// Our own values that are kept alive, by key; `nil`: kept no more.
    func record(_ kept: [[UInt8]: RenewedValue?]) { write { $0.kept.merge(kept) { $1 } } }

    /// Tells the operator if another process wanted the directory: perhaps this node runs twice.
    func lookForRival() {
        pool.submit { [self] _ in
            guard let rival = store.database.takeRival() else { return }
            logger.warning(
                "another process wanted this node's directory; are there two with its key?",
                metadata: ["process": "\(rival)", "directory": "\(store.database.directory)"]
            )
        }
    }

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

    /// Lets go of the directory. Changes that were not flushed are lost.
    func close() { store.database.close() }

    // MARK: Threads of the pool

    private func write(_ change: (inout State) -> Void) {
        let starts = state.withLock { state in
            change(&state)
            defer { state.isCommitting = true }
            return !state.isCommitting
        }
        if starts { pool.submit { [self] _ in commit() } }
    }

    /// Writes until nothing is left to be written.
    private func commit() {
        while var turn = nextTurn() {
            read(turn.imports, into: &turn.changes)
            if !turn.changes.isEmpty {
                let begin = SystemClock.now.instant
                let results = store.apply(batches: turn.changes.map(\.changes))
                commits?.recordInterval(SystemClock.now.instant.since(begin))
                finish(zip(turn.changes, results).map { ($0.ticket, Self.outcome(of: $1)) })
                for result in results { record(result) }
            }
            do throws(RecordStoreError) {
                if !turn.revisions.isEmpty { try store.database.rememberRevisions(turn.revisions) }
                // Contacts are for the next start, which can do without them.
                if let contacts = turn.contacts { try store.database.replaceContacts(contacts) }
            } catch {
                // Only failures count here: a full disk that takes no records has room for these few bytes.
                record(.failure(error))
            }
            commit(turn.kept)
        }
    }

    private func read(_ imports: [Import], into changes: inout [(ticket: Ticket, changes: [RecordChange])]) {
        for piece in imports {
            guard let bytes = piece.content.piece(piece.index) else {
                finish([(piece.ticket, .unavailable)])
                continue
            }
            let digest = piece.content.reference.digest
            changes.append((piece.ticket, [.putPiece(bytes, index: piece.index, of: digest)]))
        }
    }

    /// Writes down the kept values that changed. A write that fails is tried again with the next turn: only
    /// these rows say that the values are to be kept.
    private func commit(_ kept: [[UInt8]: RenewedValue?]) {
        let due = unwritten.withLock { $0.merging(kept) { $1 } }
        guard !due.isEmpty else { return }
        do throws(RecordStoreError) {
            try store.database.rememberRenewed(due)
            unwritten.withLock { $0 = [:] }
        } catch {
            unwritten.withLock { $0 = due }
            record(.failure(error))
        }
    }

    /// Tells the operator, though not of every write.
    private func record(_ result: Result<Void, RecordStoreError>) {
        let now = SystemClock.now.instant
        switch result {
        case .success:
            guard trouble.withLock({ $0.end() }) else { return }
            logger.notice("the store can be written again")
        case .failure(let error):
            guard let count = trouble.withLock({ $0.record("\(error)", at: now) }) else { return }
            logger.error(
                "the store cannot be written: nothing is kept",
                metadata: ["reason": "\(error)", "failures": "\(count)"]
            )
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

    private func finish(_ outcomes: [(Ticket, StorageOutcome)]) {
        listener.withLock { $0 }?.completed(outcomes)
    }
}
