import DHTCore

/// Takes lines of an export, one after the other, into a store.
///
/// A record counts only if it decodes and its author signed it, and not in the future; one that is there
/// already gives way to a newer one only. Expired records are taken as well: a node that starts sweeps them
/// out. Of a long value each piece counts that has its digest, if a record refers to it that counts.
package struct RecordImport<Store: RecordStore> {
    /// Records in one transaction, and bytes.
    package static var batchLength: Int { 500 }
    static var batchBytes: Int { 1 << 20 }
    /// Bad lines told in full; the others are only counted.
    package static var problemLimit: Int { 20 }

    /// The counts of the lines taken so far, and the first bad ones.
    package struct Summary: Hashable, Sendable {
        /// Lines taken, empty ones included.
        package fileprivate(set) var lines = 0
        /// Records put into the store.
        package fileprivate(set) var stored = 0
        /// Records that were there already, or a newer one of their author.
        package fileprivate(set) var known = 0
        package fileprivate(set) var bad = 0
        /// Records whose revisions are so far ahead of the clock that no node would take them.
        package fileprivate(set) var ahead = 0
        /// Pieces of long values put into the store.
        package fileprivate(set) var pieces = 0
        /// Long values that no record of the export refers to: they were left out.
        package fileprivate(set) var unreferred = 0
        /// Long values that a record refers to and that are not whole in the store.
        package fileprivate(set) var incomplete = 0
        /// Keys that the node is to keep alive.
        package fileprivate(set) var kept = 0
        /// Keys that another node kept alive: they were left out.
        package fileprivate(set) var foreign = 0
        /// The last line is not the end of an export, or lines are missing before it.
        package fileprivate(set) var isCutOff = true
        /// The first bad lines, counted from 1.
        package fileprivate(set) var problems: [Problem] = []

        /// All of the export is in the store, but for what is ahead of the clock.
        package var isWhole: Bool {
            bad == 0 && unreferred == 0 && incomplete == 0 && foreign == 0 && !isCutOff
        }
    }

    /// A line that was not taken.
    package struct Problem: Hashable, Sendable {
        package let line: Int
        package let reason: String
    }

    /// A long value whose pieces come.
    private struct Content {
        let reference: ContentReference
        /// `nil`: it is left out.
        let digests: [Digest]?
    }

    package private(set) var summary = Summary()
    package private(set) var store: Store
    private let now: UInt64
    private let decode: ([UInt8]) -> Record?
    private let verifies: (Record) -> Bool
    private let proof: ContentProof
    /// Takes a value that is to be kept alive; `false` if its author is not the store's node.
    package var keep: (RenewedValue, _ author: String) -> Bool = { _, _ in false }
    private let progress: (Summary) -> Void
    /// Decided on and not yet in the store, in the order they came.
    private var batch: [RecordChange] = []
    private var batchBytes = 0
    private var waiting: [RecordID: Record] = [:]
    /// Digests of content: that of records which count, and that of older records and of those ahead of the
    /// clock.
    private var needed: Set<Digest> = []
    private var obsolete: Set<Digest> = []
    private var content: Content?
    /// Lines of the export so far, empty ones not counted.
    private var lines = 0

    /// - Parameters:
    ///   - now: Unix milliseconds.
    ///   - decode: Makes a record of canonical bytes; `nil` if they are not.
    ///   - verifies: Whether a record's signature is its author's.
    ///   - progress: Called after each transaction.
    package init(
        into store: Store,
        unixMilliseconds now: UInt64,
        decode: @escaping ([UInt8]) -> Record?,
        verifies: @escaping (Record) -> Bool,
        proof: ContentProof,
        progress: @escaping (Summary) -> Void = { _ in }
    ) {
        (self.store, self.now) = (store, now)
        (self.decode, self.verifies, self.proof) = (decode, verifies, proof)
        self.progress = progress
    }

    /// Why the file that begins with this line cannot be taken at all; `nil` if it can.
    package static func refusal(ofFirst line: [UInt8]) -> String? {
        switch ExportLine.read(line) {
        case .success(.header(ExportLine.format)): nil
        case .success(.header(let format)) where format > ExportLine.format:
            "an export of format \(format), made by a newer version of dht; this one takes "
                + "\(ExportLine.format). Upgrade dht. Nothing was taken"
        case .success(.record):
            "an export of an older version of dht, without long values and without what says that it is "
                + "whole. Export it again, with this version. Nothing was taken"
        default: "no export: its first line is not what dht store export writes. Nothing was taken"
        }
    }

    /// Takes a line, without its line break. When the store fails, what was stored before stays.
    package mutating func take(_ line: [UInt8]) throws(RecordStoreError) {
        summary.lines += 1
        if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }) {
            return
        }
        let isAfterEnd = !summary.isCutOff || lines == 0
        lines += 1
        summary.isCutOff = true
        switch ExportLine.read(line) {
        case .failure(let fault): refuse(fault.reason)
        case .success(.header(let format)):
            if format != ExportLine.format || !isAfterEnd {
                refuse("an export of format \(format) begins before the one before it ended")
            }
            lines = 1
        case .success(.record(let bytes)): try takeRecord(bytes)
        case .success(.content(let reference, let outline)): begin(reference, outline)
        case .success(.piece(let bytes, let index, let digest)): try takePiece(bytes, index, of: digest)
        case .success(.kept(let value, let author)):
            if keep(value, author) { summary.kept += 1 } else { summary.foreign += 1 }
        case .success(.end(let lines)): end(after: lines)
        }
        if batch.count >= Self.batchLength || batchBytes >= Self.batchBytes { try commit() }
    }

    /// A line that cannot even be read whole: it is counted as bad.
    package mutating func refuseLine(_ reason: String) {
        summary.lines += 1
        lines += 1
        summary.isCutOff = true
        refuse(reason)
    }

    /// Stores what is waiting still, and looks what is missing. To be called after the last line.
    package mutating func finish() throws(RecordStoreError) {
        try commit()
        let whole = try store.contents().filter { $0.pieces.count == $0.reference.pieceCount }
        summary.incomplete = needed.subtracting(whole.map(\.reference.digest)).count
    }

    // MARK: Records

    private mutating func takeRecord(_ bytes: [UInt8]) throws(RecordStoreError) {
        guard let record = decode(bytes) else { return refuse("record is not what the protocol says") }
        guard verifies(record) else {
            return refuse("its author did not sign the record for this network")
        }
        guard !record.revision.isFarAhead(of: now) else {
            summary.ahead += 1
            if let reference = record.reference { obsolete.insert(reference.digest) }
            let seconds = (record.revision.unixMilliseconds -| now) / 1000
            return report("its time is \(seconds) s ahead of this machine's clock; 300 s are the most")
        }
        try offer(record)
    }

    private mutating func offer(_ record: Record) throws(RecordStoreError) {
        let place = record.id
        let before = waiting[place]
        let old = before == nil ? try store.record(at: record.location, by: record.author) : before
        if let old, !record.supersedes(old) {
            summary.known += 1
            guard let reference = record.reference else { return }
            // It may be there without all that it refers to.
            if record.digest == old.digest {
                needed.insert(reference.digest)
            } else {
                obsolete.insert(reference.digest)
            }
            return
        }
        if let reference = record.reference { needed.insert(reference.digest) }
        waiting[place] = record
        batch.append(.put(record))
    }

    // MARK: Long values

    private mutating func begin(_ reference: ContentReference, _ outline: [UInt8]) {
        content = Content(reference: reference, digests: nil)
        guard needed.contains(reference.digest) else {
            guard !obsolete.contains(reference.digest) else { return }
            summary.unreferred += 1
            return report("no record of the export refers to this long value")
        }
        guard let digests = proof.digests(reference, outline) else {
            return refuse("outline is not that of the content")
        }
        content = Content(reference: reference, digests: digests)
        batch.append(.beginContent(reference, outline: outline))
    }

    private mutating func takePiece(
        _ bytes: [UInt8],
        _ index: Int,
        of digest: Digest
    ) throws(RecordStoreError) {
        guard let content, content.reference.digest == digest else {
            return refuse("piece of a long value that was not begun before it")
        }
        guard let digests = content.digests else { return }
        guard proof.holds(bytes, index, of: content.reference, digests) else {
            return refuse("piece is not what its digest says")
        }
        batch.append(.putPiece(bytes, index: index, of: digest))
        batchBytes += bytes.count
    }

    // MARK: The end

    private mutating func end(after expected: Int) {
        let missing = max(expected, lines - 1) - (lines - 1)
        summary.isCutOff = missing > 0
        if missing > 0 { report("of the \(expected) lines before the end, \(missing) are missing") }
    }

    private mutating func commit() throws(RecordStoreError) {
        guard !batch.isEmpty else { return }
        var (records, pieces) = (0, 0)
        for change in batch {
            switch change {
            case .put: records += 1
            case .putPiece: pieces += 1
            case .remove, .beginContent, .removeContent: break
            }
        }
        defer { (batch, batchBytes, waiting) = ([], 0, [:]) }
        try store.apply(batch)
        summary.stored += records
        summary.pieces += pieces
        progress(summary)
    }

    private mutating func refuse(_ reason: String) {
        summary.bad += 1
        report(reason)
    }

    private mutating func report(_ reason: String) {
        guard summary.problems.count < Self.problemLimit else { return }
        summary.problems.append(Problem(line: summary.lines, reason: reason))
    }
}
