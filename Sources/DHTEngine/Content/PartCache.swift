import DHTCore

/// A part of some content.
struct PartName: Hashable, Sendable {
    let content: Digest
    let part: ContentPart
}

/// Parts that were read last, for those who ask for their next chunk.
struct PartCache: Sendable {
    /// About 4 MB.
    static let capacity = 64

    private var parts: [PartName: (bytes: [UInt8], used: UInt64)] = [:]
    private var uses: UInt64 = 0

    var count: Int { parts.count }

    mutating func insert(_ bytes: [UInt8], as name: PartName) {
        if parts.count >= Self.capacity, parts[name] == nil,
            let oldest = parts.min(by: { $0.value.used < $1.value.used })
        {
            parts[oldest.key] = nil
        }
        uses += 1
        parts[name] = (bytes, uses)
    }

    mutating func bytes(of name: PartName) -> [UInt8]? {
        uses += 1
        parts[name]?.used = uses
        return parts[name]?.bytes
    }
}
