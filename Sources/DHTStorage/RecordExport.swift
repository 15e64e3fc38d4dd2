import DHTCore

/// What was exported.
package struct ExportSummary: Hashable, Sendable {
    package fileprivate(set) var records = 0
    /// Rows that were left out, because their bytes are not the record they tell of.
    package fileprivate(set) var damaged = 0
}

extension SQLiteRecordStore {
    /// Writes every sound record as a line of JSON, by location and author, without holding more than a few.
    ///
    /// - Parameters:
    ///   - author: An identity as people write it.
    ///   - write: Takes a line, without a line break at its end. What it throws ends the export.
    package func export(
        author: (Identity) -> String,
        write: (String) throws(RecordStoreError) -> Void
    ) throws(RecordStoreError) -> ExportSummary {
        var summary = ExportSummary()
        try forEachRow { row throws(RecordStoreError) in
            guard let record = row.record(decode) else {
                summary.damaged += 1
                return
            }
            try write(RecordLine(record, author: author(record.author)).text)
            summary.records += 1
        }
        return summary
    }
}
