import DHTCore

/// Takes lines of an export, one after the other, into a store.
///
/// A line counts only if its record decodes and its author signed it; a record that is there already gives
/// way to a newer one only. Expired records are taken as well: a node that starts sweeps them out.
package struct RecordImport<Store: RecordStore> {
    /// Records in one transaction.
    package static var batchLength: Int { 500 }
    /// Bad lines told in full; the others are only counted.
    package static var problemLimit: Int { 20 }

    /// What became of the lines so far.
    package struct Summary: Hashable, Sendable {
        /// Lines taken, empty ones included.
        package fileprivate(set) var lines = 0
        /// Records put into the store.
        package fileprivate(set) var stored = 0
        /// Records that were there already, or a newer one of their author.
        package fileprivate(set) var known = 0
        package fileprivate(set) var bad = 0
        /// The first bad lines, counted from 1.
        package fileprivate(set) var problems: [Problem] = []
    }

    /// A line that was not taken.
    package struct Problem: Hashable, Sendable {
        package let line: Int
        package let reason: String
    }

    private struct Place: Hashable {
        let location: NodeID
        let author: Identity
    }

    package private(set) var summary = Summary()
    package private(set) var store: Store
    private let decode: ([UInt8]) -> Record?
    private let verifies: (Record) -> Bool
    private let progress: (Summary) -> Void
    /// Decided on and not yet in the store, in the order they came.
    private var batch: [RecordChange] = []
    private var waiting: [Place: Record] = [:]

    /// - Parameters:
    ///   - decode: Makes a record of canonical bytes; `nil` if they are not.
    ///   - verifies: Whether a record's signature is its author's.
    ///   - progress: Called after each transaction.
    package init(
        into store: Store,
        decode: @escaping ([UInt8]) -> Record?,
        verifies: @escaping (Record) -> Bool,
        progress: @escaping (Summary) -> Void = { _ in }
    ) {
        (self.store, self.decode, self.verifies, self.progress) = (store, decode, verifies, progress)
    }

    /// Takes a line, without its line break. When the store fails, what was stored before stays.
    package mutating func take(_ line: [UInt8]) throws(RecordStoreError) {
        summary.lines += 1
        if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }) { return }
        switch RecordLine.recordBytes(line) {
        case .failure(let fault): refuse(fault.reason)
        case .success(let bytes):
            guard let record = decode(bytes) else { return refuse("record is not what the protocol says") }
            guard verifies(record) else {
                return refuse("its author did not sign the record for this network")
            }
            try offer(record)
        }
        if batch.count >= Self.batchLength { try commit() }
    }

    /// A line that cannot even be read whole: it is counted as bad.
    package mutating func refuseLine(_ reason: String) {
        summary.lines += 1
        refuse(reason)
    }

    /// Stores what is waiting still. To be called after the last line.
    package mutating func finish() throws(RecordStoreError) {
        try commit()
    }

    private mutating func offer(_ record: Record) throws(RecordStoreError) {
        let place = Place(location: record.location, author: record.author)
        let before = waiting[place]
        let old = before == nil ? try store.record(at: record.location, by: record.author) : before
        if let old, !record.supersedes(old) {
            summary.known += 1
            return
        }
        waiting[place] = record
        batch.append(.put(record))
    }

    private mutating func commit() throws(RecordStoreError) {
        guard !batch.isEmpty else { return }
        let count = batch.count
        defer { (batch, waiting) = ([], [:]) }
        try store.apply(batch)
        summary.stored += count
        progress(summary)
    }

    private mutating func refuse(_ reason: String) {
        summary.bad += 1
        guard summary.problems.count < Self.problemLimit else { return }
        summary.problems.append(Problem(line: summary.lines, reason: reason))
    }
}
