import DHTCore
import DHTCrypto
import DHTEnvelope
import Glibc
import Logging
import NIOPosix
import Synchronization

/// The roster of a node in its directory: a file that is replaced as a whole, and beside it the evidence, if
/// an administrator signed two.
final class RosterShelf: Sendable {
    static let fileName = "roster"
    static let evidenceName = "roster.conflict"
    static let invitationsName = "invitations"

    private struct State {
        /// By file; `nil`: it is to go.
        var unwritten: [String: [UInt8]?] = [:]
        /// Why the last attempt failed; what was to be written is tried again.
        var failure: DHTError?
        var isWriting = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// `nil`: in memory, for as long as the process lives.
    private let directory: String?
    private let network: NetworkID
    private let pool: NIOThreadPool
    private let logger: Logger
    private let state = Mutex(State())

    init(_ directory: String?, network: NetworkID, pool: NIOThreadPool, logger: Logger) {
        (self.directory, self.network, self.pool, self.logger) = (directory, network, pool, logger)
    }

    /// The roster that the directory holds; `nil`: none. Blocks its thread.
    ///
    /// - Throws: ``DHTError``: `denied` if the file may not be read, or others may change it; `integrity` if
    ///   it is not as it was written.
    static func read(_ directory: String, network: NetworkID) throws(DHTError) -> Roster? {
        let path = "\(directory)/\(fileName)"
        var status = stat()
        if unsafe stat(path, &status) != 0, errno == ENOENT { return nil }
        do {
            return try Roster(parsing: try Allowlist.contents(of: path), of: network, file: path)
        } catch let error as DHTError where error.code == .denied {
            throw error
        } catch {
            let reason = (error as? DHTError)?.reason ?? "\(error)"
            throw DHTError(
                .integrity,
                "\(reason). The node holds no other; take the file away, and it gets one from the others, "
                    + "or start it with one: --allow ROSTER"
            )
        }
    }

    /// Has the roster be there for the next process, in a while; what fails is tried again by ``retry()``.
    func keep(_ roster: Roster) {
        write(roster.file(of: network), to: Self.fileName)
        if isThere(Self.evidenceName) { write(nil, to: Self.evidenceName) }
    }

    func keep(_ conflict: RosterKeeper.Conflict) {
        let lines = [conflict.held, conflict.other].map { $0.line(in: network) }.joined()
        write(Array(lines.utf8), to: Self.evidenceName)
    }

    /// Has the invitations be there for the next process.
    func keep(_ book: InvitationBook) { write(book.file, to: Self.invitationsName) }

    /// The invitations that the directory holds; of a file that cannot be read, none, and nobody gets in by
    /// them. Blocks its thread.
    static func invitations(in directory: String) -> InvitationBook {
        InvitationBook(file: (try? Allowlist.contents(of: "\(directory)/\(invitationsName)")) ?? [])
    }

    /// Returns when the roster is on the disk.
    ///
    /// - Parameter before: The one that is to be there still if this one cannot be written.
    /// - Throws: ``DHTError``: `internal` if it is not, and will not be.
    func store(_ roster: Roster, before: Roster?) async throws(DHTError) {
        keep(roster)
        guard let failure = await flush() else { return }
        state.withLock { ($0.unwritten[Self.fileName], $0.failure) = (nil, nil) }
        withdraw(to: before)
        throw failure
    }

    /// A roster that was written does not count: this one is to be there.
    func withdraw(to roster: Roster?) {
        if let roster { keep(roster) } else { write(nil, to: Self.fileName) }
    }

    /// Why what is to be kept is not on the disk; `nil`: it is, or soon will be.
    var failure: DHTError? { state.withLock { $0.failure } }

    /// Tries again what could not be written.
    func retry() {
        let starts = state.withLock { state in
            guard state.failure != nil, !state.isWriting, !state.unwritten.isEmpty else { return false }
            state.isWriting = true
            return true
        }
        if starts { pool.submit { [self] _ in writeAll() } }
    }

    /// Returns when all that is to be kept is on the disk, or could not be written.
    @discardableResult
    func flush() async -> DHTError? {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.isWriting { state.waiting.append(continuation) }
                return !state.isWriting
            }
            if isIdle { continuation.resume() }
        }
        return failure
    }

    private func isThere(_ file: String) -> Bool {
        guard let directory else { return false }
        return unsafe access("\(directory)/\(file)", F_OK) == 0
    }

    private func write(_ bytes: [UInt8]?, to file: String) {
        guard directory != nil else { return }
        let starts = state.withLock { state in
            state.unwritten[file] = .some(bytes)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if starts { pool.submit { [self] _ in writeAll() } }
    }

    private func writeAll() {
        while let (file, bytes) = next() {
            do {
                try replace(file, with: bytes)
                state.withLock { $0.failure = nil }
            } catch {
                logger.error(
                    "a file cannot be written: the next process has the one before; it is tried again",
                    metadata: ["reason": "\(error.reason)"]
                )
                fail(file, bytes, error)
                return
            }
        }
    }

    /// Bytes that could not be written wait, unless there are newer ones.
    private func fail(_ file: String, _ bytes: [UInt8]?, _ error: DHTError) {
        let waiting = state.withLock { state in
            if state.unwritten[file] == nil { state.unwritten[file] = .some(bytes) }
            (state.failure, state.isWriting) = (error, false)
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func next() -> (String, [UInt8]?)? {
        let (next, waiting) = state.withLock { state in
            guard let next = state.unwritten.min(by: { $0.key < $1.key }) else {
                defer { state = State() }
                return ((String, [UInt8]?)?.none, state.waiting)
            }
            state.unwritten.removeValue(forKey: next.key)
            return ((next.key, next.value), [])
        }
        for continuation in waiting { continuation.resume() }
        return next
    }

    private func replace(_ file: String, with bytes: [UInt8]?) throws(DHTError) {
        guard let directory else { return }
        let path = "\(directory)/\(file)"
        func failure(_ number: Int32 = errno) -> DHTError {
            DHTError(.internal, "\(path): \(unsafe String(cString: strerror(number)))")
        }
        guard let bytes else {
            guard unsafe unlink(path) == 0 || errno == ENOENT else { throw failure() }
            return
        }
        guard let draft = DraftPlace(of: path, mode: 0o600) else { throw failure() }
        defer {
            draft.discard()
            close(draft.descriptor)
        }
        let problem = DraftPlace.write(bytes, to: draft.descriptor)
        guard problem == 0 else { throw failure(problem) }
        guard fsync(draft.descriptor) == 0, draft.replace() == 0, draft.flush() == 0 else { throw failure() }
    }
}
