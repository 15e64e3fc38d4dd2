/// Records that users put here, of which others took fewer copies than there ought to be and we have none:
/// nobody but us knows, so they are republished from here.
///
/// The node tells ``add(_:_:at:)`` how a put ended too early, and ``remove(at:)`` when there are enough
/// copies; it asks ``takeDue(at:mayBegin:)`` what to put again.
struct IncompletePuts: Sendable {
    static let capacity = 64
    static let attemptLimit: UInt64 = 5
    /// Before the first time; each further pause is twice as long.
    static let firstPause = RepublishSchedule.underReplicatedPause

    struct Put: Hashable, Sendable {
        let id: RecordID
        let record: Record
        /// The condition of the put, if the author went back behind a wrong clock; else `nil`.
        let condition: Request.Condition?
        fileprivate(set) var due: Instant
        fileprivate let attempts: UInt64
    }

    /// The puts to be made again, the oldest first.
    private var puts: [Put] = []

    var count: Int { puts.count }

    func contains(_ id: RecordID) -> Bool { puts.contains { $0.id == id } }

    /// A put got too few copies. Returns when it is tried again; `nil`: not any more, or a newer record is.
    mutating func add(_ record: Record, _ condition: Request.Condition?, at now: Instant) -> Instant? {
        var attempts: UInt64 = 0
        if let known = puts.firstIndex(where: { $0.id == record.id }) {
            if condition == nil, puts[known].record.supersedes(record) { return nil }
            let old = puts.remove(at: known)
            if old.record == record { attempts = old.attempts + 1 }
        }
        guard attempts < Self.attemptLimit else { return nil }
        if puts.count >= Self.capacity { puts.removeFirst() }
        let due = now + Self.firstPause * (1 << attempts)
        puts.append(
            Put(id: record.id, record: record, condition: condition, due: due, attempts: attempts)
        )
        return due
    }

    mutating func remove(at id: RecordID) { puts.removeAll { $0.id == id } }

    mutating func removeAll(where isGone: (Identity) -> Bool) { puts.removeAll { isGone($0.record.author) } }

    /// The next put to be tried again, if `mayBegin`; and when to ask again at the latest. One that is handed
    /// out and of which nothing is heard is handed out once more, much later. Expired ones are dropped.
    mutating func takeDue(at now: Now, mayBegin: Bool) -> (put: Put?, next: Instant?) {
        var next: Instant?
        for index in puts.indices {
            let put = puts[index]
            if put.due > now.instant {
                next = next.map { min($0, put.due) } ?? put.due
            } else if put.record.expiry > now.unixMilliseconds, mayBegin {
                puts[index].due = now.instant + Self.firstPause * 16
                return (put, next)
            }
        }
        puts.removeAll { $0.record.expiry <= now.unixMilliseconds }
        return (nil, next)
    }
}
