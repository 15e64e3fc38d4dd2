import DHTCore

/// How far a transfer of content is.
package struct TransferState: Hashable, Sendable {
    package let key: [UInt8]
    /// The content goes to replicas; else to us.
    package let isUpload: Bool
    /// Bytes that arrived, at all replicas together, and those that are to.
    package let done: UInt64
    package let total: UInt64
}

extension ContentTransfers {
    /// The transfers that users wait for, by key.
    var states: [TransferState] {
        var states = uploads.values.map { upload in
            TransferState(
                key: upload.key,
                isUpload: true,
                done: upload.held.values.reduce(0) { $0 + UInt64($1) },
                total: UInt64(upload.reference.length) * UInt64(max(upload.held.count, 1))
            )
        }
        states += readings.values.map { reading in
            TransferState(
                key: Array(reading.record.key),
                isUpload: false,
                done: UInt64(reading.fetch.held),
                total: UInt64(reading.fetch.reference.length)
            )
        }
        return states.sorted {
            $0.key == $1.key ? $0.isUpload && !$1.isUpload : $0.key.lexicographicallyPrecedes($1.key)
        }
    }
}
