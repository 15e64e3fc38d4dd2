import DHTCore

/// The counts of an export.
package struct ExportSummary: Hashable, Sendable {
    package fileprivate(set) var records = 0
    /// Rows that were left out, because their bytes are not the record they tell of.
    package fileprivate(set) var damaged = 0
    /// Long values of which all was written.
    package fileprivate(set) var contents = 0
    /// Long values that a record refers to and that are not there, or not whole, or damaged; what there is of
    /// them was written.
    package fileprivate(set) var incomplete = 0
    /// Keys that are kept alive.
    package fileprivate(set) var kept = 0
    fileprivate var lines = 0
}

extension SQLiteRecordStore {
    /// Writes all that a node would miss, as lines of JSON, without holding more than a few: every sound
    /// record by location and author, the long values they refer to by digest, and the keys that are kept
    /// alive.
    ///
    /// - Parameters:
    ///   - author: An identity as people write it.
    ///   - progress: Told now and then what was written so far.
    ///   - write: Takes a line, without a line break at its end. An error that it throws ends the export.
    package func export(
        author: (Identity) -> String,
        proof: ContentProof,
        progress: (ExportSummary) -> Void = { _ in },
        write: (String) throws(RecordStoreError) -> Void
    ) throws(RecordStoreError) -> ExportSummary {
        var summary = ExportSummary()
        func tell(_ line: String) throws(RecordStoreError) {
            try write(line)
            summary.lines += 1
            progress(summary)
        }
        try tell(ExportLine.header(format: ExportLine.format).text)
        var referred: Set<Digest> = []
        try forEachRow { row throws(RecordStoreError) in
            guard let record = row.record(decode) else {
                summary.damaged += 1
                return
            }
            summary.records += 1
            if let reference = record.reference { referred.insert(reference.digest) }
            try tell(RecordLine(record, author: author(record.author)).text)
        }
        for content in try contents() where referred.contains(content.reference.digest) {
            let isWhole = try export(content.reference, proof, tell)
            summary.contents += isWhole ? 1 : 0
            if isWhole { referred.remove(content.reference.digest) }
        }
        summary.incomplete = referred.count
        let owner = try database.owner()
        for value in try database.kept() {
            summary.kept += 1
            try tell(ExportLine.kept(value, author: owner.map(author) ?? "").text)
        }
        try tell(ExportLine.end(lines: summary.lines).text)
        return summary
    }

    /// Writes as much of some content as there is; whether that was all.
    private func export(
        _ reference: ContentReference,
        _ proof: ContentProof,
        _ tell: (String) throws(RecordStoreError) -> Void
    ) throws(RecordStoreError) -> Bool {
        guard let outline = try part(.outline, of: reference.digest)?.bytes,
            let digests = proof.digests(reference, outline)
        else { return false }
        try tell(ExportLine.content(reference, outline: outline).text)
        var isWhole = true
        for index in 0..<reference.pieceCount {
            if let bytes = try part(.piece(index), of: reference.digest)?.bytes,
                proof.holds(bytes, index, of: reference, digests)
            {
                try tell(ExportLine.piece(bytes, index: index, of: reference.digest).text)
            } else {
                isWhole = false
            }
        }
        return isWhole
    }
}
