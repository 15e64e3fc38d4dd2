import DHTStorage
import NIOPosix
import Synchronization

/// A copy of a node's database, to be read from its beginning to its end. Its room on the disk is given back
/// when nobody holds it any more. One task reads it.
package final class StoreBackup: Sendable {
    /// Bytes of one piece.
    private static let pieceLength = 1 << 16

    /// Bytes.
    package var length: Int { copy.length }
    /// Records in it, tombstones among them.
    package var records: Int { copy.records }
    private let copy: DatabaseCopy
    private let position = Mutex(0)

    fileprivate init(_ copy: DatabaseCopy) { self.copy = copy }

    /// The next bytes; `nil` after the last.
    package func next() async throws(DHTError) -> [UInt8]? {
        let bytes: [UInt8]
        do {
            bytes = try await NIOThreadPool.singleton.runIfActive { [self] in
                try copy.bytes(at: position.withLock { $0 }, count: Self.pieceLength)
            }
        } catch { throw DHTError(.internal, "the copy of the database cannot be read: \(error)") }
        position.withLock { $0 += bytes.count }
        return bytes.isEmpty ? nil : bytes
    }
}

extension DHTNode {
    /// Copies the node's database as it is now, while the node goes on; one copy at a time. All that was
    /// acknowledged before the call is in it.
    ///
    /// - Parameter progress: Told how many pages of how many are copied, on another thread.
    /// - Throws: ``DHTError``: `configuration` if the node keeps its records in memory, `partial` if another
    ///   copy is under way, `internal` if the disk has no room for it or fails. `CancellationError` if the
    ///   task is cancelled.
    package func backUp(progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void) async throws
        -> StoreBackup
    {
        let storage = await loop.storage
        let isWanted = WantedFlag()
        // A thread of its own: the pool's few write and read for the node.
        let thread = NIOThreadPool(numberOfThreads: 1)
        thread.start()
        let outcome: Result<DatabaseCopy?, any Error>
        do {
            let copy = try await withTaskCancellationHandler {
                try await thread.runIfActive {
                    try storage.copy { done, total in
                        progress(done, total)
                        return isWanted.value.load(ordering: .relaxed)
                    }
                }
            } onCancel: {
                isWanted.value.store(false, ordering: .relaxed)
            }
            outcome = .success(copy)
        } catch { outcome = .failure(error) }
        try? await thread.shutdownGracefully()
        switch outcome {
        case .success(let copy?): return StoreBackup(copy)
        case .success(nil):
            throw DHTError(.configuration, "the node keeps its records in memory: there is no database")
        case .failure(DatabaseCopyError.unwanted): throw CancellationError()
        case .failure(let error as DatabaseCopyError): throw DHTError(error)
        case .failure(let error): throw error
        }
    }
}

/// Whether somebody waits for a copy.
private final class WantedFlag: Sendable {
    let value = Atomic(true)
}

extension DHTError {
    /// Why there is no copy of a database.
    package init(_ error: DatabaseCopyError) {
        switch error {
        case .underWay:
            self.init(.partial, "another backup of this node is under way. Try again when it is done")
        case .unwanted: self.init(.stopped, "the copy is not wanted any more")
        case .noRoom(let directory, let needed, let free):
            self.init(
                .internal,
                """
                \(directory) has no room for a copy of the database: \(needed >> 20) MiB are needed, \
                \(free >> 20) are free. Make room
                """
            )
        case .full(let directory):
            self.init(
                .internal,
                "\(directory): the disk became full during the copy of the database. Make room"
            )
        case .failed(let reason): self.init(.internal, "the database cannot be copied: \(reason)")
        }
    }
}
