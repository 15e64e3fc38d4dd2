import DHTCore
import DHTEnvelope

/// Content on its way to us from several peers at once, as a machine: answers in, requests out.
///
/// Each part is asked of one peer, chunk by chunk, and looked at when it is whole; who gave a part that is
/// not what it must be is asked no more. How much may be under way to a peer follows what it answers.
struct ContentFetch: Sendable {
    /// A chunk that is to be asked for.
    struct Wish: Hashable, Sendable {
        let contact: Contact
        let part: ContentPart
        let chunk: Int
    }

    /// A part that is whole and what it must be.
    enum Gain: Sendable {
        case outline([UInt8])
        case piece([UInt8], index: Int)
    }

    /// Somebody who may have the content.
    private struct Source: Sendable {
        var contact: Contact
        /// Requests that may be under way at once.
        var window = Self.firstWindow
        /// Beyond it the window grows slowly.
        var threshold = Double.infinity
        var inFlight = 0
        /// Requests in a row that were given up.
        var failures = 0
        var isOut = false

        static let firstWindow = 8.0
        static let longestWindow = 64.0
        static let failureLimit = 4

        var hasRoom: Bool { !isOut && Double(inFlight) < window }

        mutating func answered(isClear: Bool) {
            inFlight -= 1
            failures = 0
            guard isClear else { return narrow() }
            window += window < threshold ? 1 : 1 / window
            window = min(window, Self.longestWindow)
        }

        mutating func failed() {
            inFlight -= 1
            failures += 1
            if failures >= Self.failureLimit { isOut = true }
            narrow()
        }

        private mutating func narrow() {
            threshold = max(window / 2, 2)
            window = threshold
        }
    }

    /// A part that is being asked for.
    private struct Growth: Sendable {
        let source: Identity
        var bytes: [UInt8]
        /// Chunks that are to be asked for, the first of them last.
        var open: [Int]
        /// A bit for each chunk that is not there.
        var missing: UInt64
    }

    /// Parts one peer is asked for at once: while the last chunks of one are under way, the next begins.
    private static let partsBySource = 2

    let reference: ContentReference
    private var sources: [Source] = []
    private var growths: [ContentPart: Growth] = [:]
    private(set) var outline: [Digest]?
    private var isOutlineTaken = false
    /// Pieces nobody was asked for, the first of them last.
    private var open: [Int]
    /// Pieces that are not there yet.
    private(set) var missing: Int
    /// Bytes of pieces that are there.
    private(set) var held = 0

    /// `outline`: the digests, if they are known. `pieces`: which are there already.
    init(_ reference: ContentReference, outline: [Digest]? = nil, pieces: Set<Int> = []) {
        self.reference = reference
        self.outline = outline
        open = (0..<reference.pieceCount).reversed().filter { !pieces.contains($0) }
        missing = open.count
        for index in pieces { held += reference.length(of: .piece(index)) ?? 0 }
    }

    // MARK: Events

    /// Somebody may have the content; who was given up is tried again.
    mutating func add(_ contact: Contact) {
        guard let index = index(of: contact.identity) else {
            sources.append(Source(contact: contact))
            return
        }
        sources[index].contact = contact
        guard sources[index].isOut else { return }
        sources[index].isOut = false
        sources[index].failures = 0
    }

    /// What is to be asked now, given that parts of no more than `limit` may be begun.
    mutating func nextWishes(limit: Int) -> [Wish] {
        var wishes: [Wish] = []
        var limit = limit
        var isMoving = true
        // In turn, so that all have their share.
        while isMoving {
            isMoving = false
            for index in sources.indices where sources[index].hasRoom {
                guard let part = part(for: sources[index].contact.identity, limit: &limit),
                    let chunk = growths[part]?.open.popLast()
                else { continue }
                sources[index].inFlight += 1
                wishes.append(Wish(contact: sources[index].contact, part: part, chunk: chunk))
                isMoving = true
            }
        }
        return wishes
    }

    /// A chunk came. `isClear`: it was asked for once only. Returns the part it made whole.
    mutating func answered(_ wish: Wish, _ bytes: [UInt8], isClear: Bool) -> Gain? {
        guard let index = index(of: wish.contact.identity) else { return nil }
        sources[index].answered(isClear: isClear)
        guard growths[wish.part]?.source == wish.contact.identity,
            let range = reference.range(of: wish.chunk, in: wish.part)
        else { return nil }
        guard bytes.count == range.count else {
            dismiss(wish.contact.identity)
            return nil
        }
        growths[wish.part]?.bytes.replaceSubrange(range, with: bytes)
        growths[wish.part]?.missing &= ~(1 << UInt64(wish.chunk))
        guard let growth = growths[wish.part], growth.missing == 0 else { return nil }
        return finish(wish.part, growth)
    }

    /// The peer did not answer.
    mutating func failed(_ wish: Wish) {
        guard let index = index(of: wish.contact.identity) else { return }
        sources[index].failed()
        if sources[index].isOut {
            dismiss(wish.contact.identity)
        } else if growths[wish.part]?.source == wish.contact.identity {
            growths[wish.part]?.open.append(wish.chunk)
        }
    }

    /// The peer has no such part.
    mutating func lacks(_ wish: Wish) {
        guard let index = index(of: wish.contact.identity) else { return }
        sources[index].answered(isClear: true)
        dismiss(wish.contact.identity)
    }

    // MARK: Queries

    var isComplete: Bool { missing == 0 && outline != nil }

    /// Nobody is left to be asked.
    var isStuck: Bool { !isComplete && sources.allSatisfy(\.isOut) }

    // MARK: Private

    private func index(of identity: Identity) -> Int? {
        sources.firstIndex { $0.contact.identity == identity }
    }

    /// A part of which this peer is to be asked for a chunk.
    private mutating func part(for identity: Identity, limit: inout Int) -> ContentPart? {
        let own = growths.filter { $0.value.source == identity }
        let begun = own.filter { !$0.value.open.isEmpty }.keys.min { $0.order < $1.order }
        if let begun { return begun }
        guard own.count < Self.partsBySource, limit > 0, let part = takePart() else { return nil }
        limit -= 1
        let count = reference.chunkCount(of: part)
        growths[part] = Growth(
            source: identity,
            bytes: [UInt8](repeating: 0, count: reference.length(of: part) ?? 0),
            open: (0..<count).reversed(),
            missing: .max >> UInt64(64 - count)
        )
        return part
    }

    private mutating func finish(_ part: ContentPart, _ growth: Growth) -> Gain? {
        growths[part] = nil
        let gain = supply(growth.bytes, for: part)
        if gain == nil { dismiss(growth.source) }
        return gain
    }

    /// This peer is asked no more, and others for what it was asked for.
    private mutating func dismiss(_ identity: Identity) {
        guard let index = index(of: identity) else { return }
        sources[index].isOut = true
        let parts = growths.filter { $0.value.source == identity }.keys
        for part in parts.sorted(by: { $0.order > $1.order }) {
            growths[part] = nil
            giveBack(part)
        }
    }
}

// MARK: Parts from elsewhere

extension ContentFetch {
    /// The next part that nobody was asked for: whoever takes it gives it back, or supplies its bytes.
    mutating func takePart() -> ContentPart? {
        guard outline == nil else { return open.popLast().map { .piece($0) } }
        guard !isOutlineTaken else { return nil }
        isOutlineTaken = true
        return .outline
    }

    mutating func giveBack(_ part: ContentPart) {
        switch part {
        case .outline: isOutlineTaken = false
        case .piece(let index): open.append(index)
        }
    }

    /// A part that was taken, and how it was found; `nil`, and given back, if it is not what it must be.
    mutating func supply(_ bytes: [UInt8], for part: ContentPart) -> Gain? {
        switch part {
        case .outline:
            outline = reference.digests(in: bytes)
            if outline != nil { return .outline(bytes) }
        case .piece(let index):
            if let outline, outline[index].isDigest(of: bytes) {
                missing -= 1
                held += bytes.count
                return .piece(bytes, index: index)
            }
        }
        giveBack(part)
        return nil
    }
}

extension ContentPart {
    /// The outline first, then piece by piece.
    fileprivate var order: Int {
        switch self {
        case .outline: -1
        case .piece(let index): index
        }
    }
}
