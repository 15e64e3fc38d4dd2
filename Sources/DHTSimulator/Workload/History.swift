import DHTCore
import DHTEngine
import DHTEnvelope

/// Writes of a world's users, and what they were told of them.
struct History {
    /// A write that at least one replica acknowledged.
    struct Write {
        let author: Int
        let record: Record
        /// Nodes that acknowledged it: good for as long as the node keeps its disk.
        let replicas: [Int]
        /// Nodes that ought to have it, as the author could know; `nil` if that changed while it was written.
        let replicaSet: Set<Int>?
        let startedAt: Instant
        let acknowledgedAt: Instant
        /// Its place among all that anybody began to write; 0: it has none.
        var number: UInt64 = 0
    }

    /// By key, in the order of their acknowledgement.
    private(set) var writes: [Int: [Write]] = [:]
    /// Key and author of each value that somebody tried to write, by the number in its first bytes.
    private var attempts: [UInt64: (key: Int, author: Int)] = [:]
    /// The number of each value that is too long for a record, by what the record says instead.
    private var contents: [[UInt8]: UInt64] = [:]
    /// When each author began to write under each key, and when that would end: what is superseded by
    /// something short-lived is gone when that is.
    private var ends: [[Int]: [(startedAt: Instant, end: Instant)]] = [:]
    private var deletions: Set<[Int]> = []
    /// By key and author, the number of what was begun last.
    private var last: [[Int]: UInt64] = [:]
    /// The number of what was begun last.
    private(set) var lastNumber: UInt64 = 0

    var keys: [Int] { writes.keys.sorted() }

    static func name(of key: Int) -> [UInt8] { Array("key \(key)".utf8) }

    // MARK: Values

    /// A value that nobody wrote before.
    mutating func makeValue(
        for key: Int,
        by author: Int,
        length: Int,
        lifetime: UInt32,
        at now: Instant
    ) -> [UInt8] {
        lastNumber += 1
        attempts[lastNumber] = (key, author)
        last[[key, author]] = lastNumber
        ends[[key, author], default: []].append((now, now + .seconds(UInt64(lifetime))))
        return Self.value(lastNumber, length: length)
    }

    /// Whether the author wrote something later that may have ended by `moment`: something with a higher
    /// revision, which may have been begun earlier and signed anew.
    func mayHaveEnded(_ write: Write, of key: Int, at moment: Instant) -> Bool {
        (ends[[key, write.author]] ?? []).contains {
            $0.startedAt + World.operationPatience >= write.startedAt && $0.end <= moment
        }
    }

    mutating func recordDeletion(of key: Int, by author: Int) {
        lastNumber += 1
        last[[key, author]] = lastNumber
        deletions.insert([key, author])
    }

    /// Whether the author began to write something else later.
    func isFollowed(_ write: Write, of key: Int) -> Bool {
        last[[key, write.author]].map { $0 > write.number } ?? false
    }

    /// The place of the value, or of what it refers to, among all that anybody began to write. `nil`: it is a
    /// tombstone, or nobody's.
    func number(of record: Record) -> UInt64? {
        if record.isTombstone { return nil }
        let number = record.reference == nil ? record.value.bigEndian() : contents[Array(record.value)]
        return number.flatMap { attempts[$0] == nil ? nil : $0 }
    }

    /// Whether the author tried to write this, tombstones included.
    func isGenuine(_ record: Record, of key: Int, by author: Int) -> Bool {
        guard record.key.elementsEqual(Self.name(of: key)) else { return false }
        if record.isTombstone { return deletions.contains([key, author]) }
        if record.reference != nil {
            guard let number = contents[Array(record.value)], let attempt = attempts[number] else {
                return false
            }
            return attempt == (key, author)
        }
        let number: UInt64 = record.value.bigEndian()
        guard let attempt = attempts[number], attempt == (key, author) else { return false }
        return record.value.elementsEqual(Self.value(number, length: record.value.count))
    }

    mutating func recordContent(_ content: Content) {
        contents[content.reference.encoded] = content.bytes.bytes(in: 0..<8)?[...].bigEndian()
    }

    /// Whether these bytes are what the record refers to.
    func isGenuine(_ bytes: [UInt8], of record: Record) -> Bool {
        guard let number = contents[Array(record.value)] else { return false }
        return bytes == Self.value(number, length: bytes.count)
            && bytes.count == Int(record.reference?.length ?? 0)
    }

    /// The number, then as many bytes that follow from it as are wanted.
    private static func value(_ number: UInt64, length: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(number)
        var filler = SeededRandom(seed: number)
        while bytes.count < length { bytes.appendBigEndian(filler.next()) }
        return Array(bytes.prefix(max(length, 8)))
    }

    // MARK: Writes

    /// Earlier writes of the same author with a higher revision, its clock being far ahead then, need not be
    /// read any more: it went back behind them.
    mutating func record(_ write: Write, of key: Int) {
        writes[key]?.removeAll { earlier in
            earlier.author == write.author && earlier.acknowledgedAt <= write.startedAt
                && earlier.record.revision > write.record.revision
        }
        writes[key, default: []].append(write)
    }

    /// Of each author the acknowledged write with the highest revision.
    func newest(of key: Int) -> [Write] {
        var newest: [Int: Write] = [:]
        for write in writes[key] ?? [] {
            if let other = newest[write.author], !write.record.supersedes(other.record) { continue }
            newest[write.author] = write
        }
        return newest.values.sorted { $0.author < $1.author }
    }
}
