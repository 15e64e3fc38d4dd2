import DHTCore

/// What content this node's store has, in whole or in part, and some of its parts at hand.
struct ContentShelf: Sendable {
    struct Holding: Sendable {
        let reference: ContentReference
        /// The store has the outline.
        var hasOutline = false
        /// Pieces the store has.
        var pieces: Set<Int> = []
        /// A record of ours refers to it, as far as we know.
        var isReferred = false
        /// When somebody last had to do with it.
        var touched: Instant

        var isComplete: Bool { hasOutline && pieces.count == reference.pieceCount }

        var heldBytes: UInt32 {
            UInt32(clamping: pieces.reduce(0) { $0 + (reference.length(of: .piece($1)) ?? 0) })
        }

        func has(_ part: ContentPart) -> Bool {
            switch part {
            case .outline: hasOutline
            case .piece(let index): pieces.contains(index)
            }
        }
    }

    /// Content no record refers to is kept for this long, so that what was broken off can go on.
    static let grace = Span.minutes(10)
    /// Bytes of content no record refers to, at most. More is not taken on.
    static let looseLimit = 256 << 20

    private(set) var holdings: [Digest: Holding] = [:]

    // MARK: Events

    mutating func begin(_ reference: ContentReference, at now: Instant) {
        guard holdings[reference.digest] == nil else { return }
        holdings[reference.digest] = Holding(reference: reference, touched: now)
    }

    /// The store has this part now.
    mutating func note(_ part: ContentPart, of digest: Digest) {
        switch part {
        case .outline: holdings[digest]?.hasOutline = true
        case .piece(let index): holdings[digest]?.pieces.insert(index)
        }
    }

    /// The store does not have this part after all.
    mutating func lost(_ part: ContentPart, of digest: Digest) {
        switch part {
        case .outline: holdings[digest] = nil
        case .piece(let index): holdings[digest]?.pieces.remove(index)
        }
    }

    mutating func touch(_ digest: Digest, at now: Instant) { holdings[digest]?.touched = now }

    mutating func setReferred(_ digest: Digest) { holdings[digest]?.isReferred = true }

    mutating func restore(_ content: StoredContent, at now: Instant) {
        holdings[content.reference.digest] = Holding(
            reference: content.reference,
            hasOutline: true,
            pieces: Set(content.pieces),
            isReferred: content.isReferred,
            touched: now
        )
    }

    /// No record refers to these: forgets, and returns, those that nobody had to do with for long.
    mutating func forget(unreferred digests: [Digest], at now: Instant) -> [Digest] {
        digests.filter { digest in
            holdings[digest]?.isReferred = false
            guard let holding = holdings[digest], now.since(holding.touched) >= Self.grace else {
                return false
            }
            holdings[digest] = nil
            return true
        }
    }

    // MARK: Queries

    subscript(digest: Digest) -> Holding? { holdings[digest] }

    func isComplete(_ reference: ContentReference) -> Bool {
        holdings[reference.digest].map { $0.reference == reference && $0.isComplete } ?? false
    }

    /// Whether so much more may be taken on before a record refers to it.
    func hasRoom(for length: UInt32) -> Bool {
        let loose = holdings.values.reduce(0) { $0 + ($1.isReferred ? 0 : Int($1.reference.length)) }
        return loose + Int(length) <= Self.looseLimit
    }
}

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
