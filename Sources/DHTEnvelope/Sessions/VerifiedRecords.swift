import DHTCore

/// Digests of records whose signatures were found good: the same record comes from several replicas, and a
/// verification costs as much as thirty digests.
struct VerifiedRecords: Sendable {
    static let capacity = 2048

    private var digests: Set<Digest> = []
    private var order: [Digest] = []
    private var next = 0

    var count: Int { digests.count }

    func contains(_ record: Record) -> Bool { digests.contains(record.digest) }

    mutating func insert(_ record: Record) {
        guard digests.insert(record.digest).inserted else { return }
        if order.count < Self.capacity {
            order.append(record.digest)
        } else {
            digests.remove(order[next])
            order[next] = record.digest
            next = (next + 1) % Self.capacity
        }
    }
}
