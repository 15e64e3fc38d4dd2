import DHTCore
import DHTStorage
import NIOCore

// The database's file, and its size on the disk.

extension DiskStorage {
    /// The size of the database on the disk; `nil` if it cannot be told.
    func size() async -> DatabaseSize? {
        try? await pool.runIfActive { [store] in try store.database.size() }
    }

    /// Looks whether the file is to be made shorter, and does a little for it; then says when to ask again.
    func tidy(_ next: @escaping @Sendable (Interval) -> Void) {
        pool.submit { [self] _ in
            do throws(RecordStoreError) {
                let size = try store.database.size()
                switch shrinking.withLock({ $0.next(size) }) {
                case .release(let pages):
                    let start = SystemClock.now.instant
                    try store.database.release(pages: pages)
                    shrinking.withLock { $0.took(SystemClock.now.instant.since(start)) }
                case .truncateLog: try store.database.truncateLog()
                case .rest: break
                }
            } catch {
                // A disk that fails is told of where records are read and written.
                shrinking.withLock { $0.failed() }
            }
            next(shrinking.withLock { $0.wait })
        }
    }
}
