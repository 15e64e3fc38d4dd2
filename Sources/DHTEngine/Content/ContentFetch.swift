import DHTCore
import DHTEnvelope

/// Content on its way to us from several peers at once, as a machine: answers in, requests out.
///
/// Each part is asked of one peer, chunk by chunk, and looked at when it is whole; a peer that gave a part
/// that is not what it must be is asked no more, whoever names it again. A part that takes its peer too long
/// is asked of another as well, and whichever is whole first counts. How much may be under way to a peer
/// follows what it answers.
struct ContentFetch: Sendable {
    /// A chunk that is to be asked for.
    struct ChunkRequest: Hashable, Sendable {
        let contact: Contact
        let part: ContentPart
        let chunk: Int
    }

    /// A part that is whole and what it must be.
    enum CompletedPart: Sendable {
        case outline([UInt8])
        case piece([UInt8], index: Int)
    }

    /// A part that one peer is being asked for.
    private struct Assignment: Hashable, Comparable {
        let part: ContentPart
        let source: Identity

        static func < (lhs: Assignment, rhs: Assignment) -> Bool {
            (lhs.part.order, lhs.source) < (rhs.part.order, rhs.source)
        }
    }

    /// How far an assigned part is.
    private struct PartialPart: Sendable {
        let begun: Instant
        var bytes: [UInt8]
        /// Chunks that are to be asked for, the first of them last.
        var open: [Int]
        /// A bit for each chunk that is not there.
        var missing: UInt64
        /// The part takes too long: others may be asked for it.
        var isSlow = false
    }

    /// Parts one peer is asked for at once: while the last chunks of one are under way, the next begins.
    private static let partsBySource = 2
    /// A part may take this long, or so many times as long as parts take at present.
    static let partPatience = Interval.seconds(2)
    static let partPatienceFactor: UInt64 = 8
    /// Parts from whose times it is known how long they take.
    private static let sampleSize = 15

    let reference: ContentReference
    private var sources: [ContentSource] = []
    private var partials: [Assignment: PartialPart] = [:]
    /// How long the last parts took.
    private var waits: [Interval] = []
    private(set) var outline: [Digest]?
    private var isOutlineTaken = false
    /// Pieces nobody was asked for, the first of them last.
    private var open: [Int]
    /// Pieces that are not there yet.
    private(set) var missing: Int
    /// Bytes of pieces that are there.
    private(set) var held = 0
    /// Bytes of chunks that came, whatever became of them.
    private(set) var received: UInt64 = 0
    /// Parts that were asked of another because they took too long.
    private(set) var slowParts: UInt64 = 0
    private var liars: [Identity] = []

    /// `outline`: the digests, if they are known. `pieces`: which are there already.
    init(_ reference: ContentReference, outline: [Digest]? = nil, pieces: Set<Int> = []) {
        self.reference = reference
        self.outline = outline
        open = (0..<reference.pieceCount).reversed().filter { !pieces.contains($0) }
        missing = open.count
        for index in pieces { held += reference.length(of: .piece(index)) ?? 0 }
    }

    // MARK: Events

    /// A peer may have the content. If it was silent it is tried again; if it lacked a part, only when it
    /// says itself that it has the content (`isOffer`); if it lied, never.
    mutating func add(_ contact: Contact, isOffer: Bool = false) {
        guard let index = index(of: contact.identity) else {
            sources.append(ContentSource(contact: contact))
            return
        }
        sources[index].named(contact, isOffer: isOffer)
    }

    /// The chunks to ask for now, given that no more than `limit` parts may be begun.
    mutating func nextRequests(limit: Int, at now: Instant) -> [ChunkRequest] {
        var chunkRequests: [ChunkRequest] = []
        var limit = limit
        var isMoving = true
        // Those that are late only if there is nobody else.
        let isPromptNeeded = !isDelayed
        if isPromptNeeded, sources.contains(where: \.isLate) { takeBackLate() }
        // In turn, so that all have their share.
        while isMoving {
            isMoving = false
            for index in sources.indices where sources[index].hasRoom {
                if isPromptNeeded, !sources[index].isPrompt { continue }
                let contact = sources[index].contact
                guard let part = part(for: contact.identity, limit: &limit, at: now),
                    let chunk = partials[.init(part: part, source: contact.identity)]?.open.popLast()
                else { continue }
                sources[index].inFlight += 1
                chunkRequests.append(ChunkRequest(contact: contact, part: part, chunk: chunk))
                isMoving = true
            }
        }
        return chunkRequests
    }

    /// A chunk came. `isClear`: it was asked for once only. Returns the part it made whole.
    mutating func answered(_ chunkRequest: ChunkRequest, _ bytes: [UInt8], isClear: Bool, at now: Instant)
        -> CompletedPart?
    {
        guard let index = index(of: chunkRequest.contact.identity) else { return nil }
        sources[index].answered(isClear: isClear)
        let assignment = Assignment(part: chunkRequest.part, source: chunkRequest.contact.identity)
        guard partials[assignment] != nil,
            let range = reference.range(of: chunkRequest.chunk, in: chunkRequest.part)
        else {
            return nil
        }
        guard bytes.count == range.count else {
            dismiss(assignment.source, .liar)
            return nil
        }
        received += UInt64(bytes.count)
        partials[assignment]?.bytes.replaceSubrange(range, with: bytes)
        partials[assignment]?.missing &= ~(1 << UInt64(chunkRequest.chunk))
        guard let partial = partials[assignment], partial.missing == 0 else { return nil }
        return finish(assignment, partial, at: now)
    }

    /// The peer answered something.
    mutating func heard(from identity: Identity, at now: Instant) {
        if let index = index(of: identity) { sources[index].heard(at: now) }
    }

    /// The peer has not answered in its usual time. If it has not been heard since the request was sent, what
    /// it was asked for is asked of others beside it, if there are any; it may still answer.
    mutating func overdue(_ chunkRequest: ChunkRequest, sent: Instant) {
        if let index = index(of: chunkRequest.contact.identity) { sources[index].overdue(sent: sent) }
    }

    /// The peer did not answer.
    mutating func failed(_ chunkRequest: ChunkRequest) {
        guard let index = index(of: chunkRequest.contact.identity) else { return }
        sources[index].failed()
        if sources[index].isOut {
            dismiss(chunkRequest.contact.identity, .silent)
        } else {
            partials[.init(part: chunkRequest.part, source: chunkRequest.contact.identity)]?.open.append(
                chunkRequest.chunk
            )
        }
    }

    /// The peer has no such part.
    mutating func lacks(_ chunkRequest: ChunkRequest) {
        guard let index = index(of: chunkRequest.contact.identity) else { return }
        sources[index].answered(isClear: true)
        dismiss(chunkRequest.contact.identity, .without)
    }

    /// The peer gave another fetch of ours a part that is not what it must be.
    mutating func dismiss(_ liar: Identity) {
        dismiss(liar, .liar)
        liars.removeAll { $0 == liar }
    }

    /// These peers are asked no more, whatever they had.
    mutating func expel(where isGone: (Identity) -> Bool) {
        for source in sources where isGone(source.contact.identity) { dismiss(source.contact.identity) }
    }

    /// Lets parts that take too long be asked of peers that have nothing to do.
    /// `isHeldUp`: nothing else is to be begun before these are there.
    mutating func takeBackSlow(at now: Instant, isHeldUp: Bool = false) {
        guard open.isEmpty || outline == nil || isHeldUp else { return }
        let patience = partPatience
        for assignment in partials.keys.sorted() {
            guard let partial = partials[assignment], !partial.isSlow, now.since(partial.begun) >= patience,
                hasIdleSource(besides: assignment.source)
            else { continue }
            offerAgain(assignment)
        }
    }

    /// All requests under way come to nothing.
    mutating func halt() {
        for assignment in partials.keys.sorted().reversed() {
            partials[assignment] = nil
            giveBack(assignment.part)
        }
        for index in sources.indices { sources[index].inFlight = 0 }
    }

    /// Peers that gave a part that is not what it must be, since the last call.
    mutating func takeLiars() -> [Identity] {
        defer { liars = [] }
        return liars
    }

    // MARK: Queries

    var isComplete: Bool { missing == 0 && outline != nil }

    /// Parts that peers are being asked for, each once.
    var partsUnderWay: Int { partials.values.count { !$0.isSlow } }

    /// Nobody is left who answers in the usual time.
    var isDelayed: Bool { !sources.contains(where: \.isPrompt) }

    /// Nobody is left to be asked.
    var isStuck: Bool { !isComplete && sources.allSatisfy(\.isOut) }

    // MARK: Private

    /// Parts that late peers are being asked for are for others, too.
    private mutating func takeBackLate() {
        let late = Set(sources.lazy.filter(\.isLate).map(\.contact.identity))
        // In reverse, so that the first of them is asked for first.
        for assignment in partials.keys.filter({ late.contains($0.source) }).sorted(by: >)
        where partials[assignment]?.isSlow == false {
            offerAgain(assignment)
        }
    }

    /// Others may be asked for a part that takes its peer too long.
    private mutating func offerAgain(_ assignment: Assignment) {
        partials[assignment]?.isSlow = true
        slowParts += 1
        giveBack(assignment.part)
    }

    private func index(of identity: Identity) -> Int? {
        sources.firstIndex { $0.contact.identity == identity }
    }

    /// How long a part may take.
    private var partPatience: Interval {
        guard !waits.isEmpty else { return Self.partPatience }
        return max(Self.partPatience, waits.sorted()[waits.count / 2] * Self.partPatienceFactor)
    }

    private func hasIdleSource(besides identity: Identity) -> Bool {
        sources.contains { source in
            source.hasRoom && source.isPrompt && source.contact.identity != identity
                && partials.keys.count { $0.source == source.contact.identity } < Self.partsBySource
        }
    }

    /// A part of which this peer is to be asked for a chunk.
    private mutating func part(for identity: Identity, limit: inout Int, at now: Instant) -> ContentPart? {
        let own = partials.filter { $0.key.source == identity }
        if let begun = own.filter({ !$0.value.open.isEmpty }).keys.min() { return begun.part }
        guard own.count < Self.partsBySource, limit > 0, let part = takePart(for: identity) else {
            return nil
        }
        limit -= 1
        let count = reference.chunkCount(of: part)
        partials[.init(part: part, source: identity)] = PartialPart(
            begun: now,
            bytes: [UInt8](repeating: 0, count: reference.length(of: part) ?? 0),
            open: (0..<count).reversed(),
            missing: .max >> UInt64(64 - count)
        )
        return part
    }

    private mutating func finish(_ assignment: Assignment, _ partial: PartialPart, at now: Instant)
        -> CompletedPart?
    {
        partials[assignment] = nil
        guard let completed = verified(partial.bytes, as: assignment.part) else {
            release(assignment.part)
            dismiss(assignment.source, .liar)
            return nil
        }
        waits.append(now.since(partial.begun))
        waits.removeFirst(max(waits.count - Self.sampleSize, 0))
        // Others may have been asked for it as well, or were about to be.
        for other in partials.keys where other.part == assignment.part { partials[other] = nil }
        if case .piece(let index) = assignment.part { open.removeAll { $0 == index } }
        return completed
    }

    /// This peer is asked no more, and others are asked for its parts.
    private mutating func dismiss(_ identity: Identity, _ state: ContentSource.SourceState) {
        guard let index = index(of: identity) else { return }
        switch (sources[index].state, state) {
        case (.liar, _), (.without, .silent): break
        case (_, .liar):
            liars.append(identity)
            sources[index].state = .liar
        case (_, let other): sources[index].state = other
        }
        for assignment in partials.keys.filter({ $0.source == identity }).sorted(by: >) {
            partials[assignment] = nil
            release(assignment.part)
        }
    }

    /// A peer brings this part no more; others may still.
    private mutating func release(_ part: ContentPart) {
        if !partials.contains(where: { $0.key.part == part && !$0.value.isSlow }) { giveBack(part) }
    }
}

// MARK: Parts from elsewhere

extension ContentFetch {
    /// The next part that nobody was asked for: whoever takes it gives it back, or supplies its bytes.
    mutating func takePart() -> ContentPart? { takePart(for: nil) }

    /// The next part that nobody was asked for. `identity`: not one that this peer is asked for already.
    private mutating func takePart(for identity: Identity?) -> ContentPart? {
        func isAsked(_ part: ContentPart) -> Bool {
            identity.map { partials[.init(part: part, source: $0)] != nil } ?? false
        }
        guard outline == nil else {
            let place = open.lastIndex { !isAsked(.piece($0)) }
            return place.map { .piece(open.remove(at: $0)) }
        }
        guard !isOutlineTaken || mayDoubleOutline, !isAsked(.outline) else { return nil }
        isOutlineTaken = true
        return .outline
    }

    /// Nothing else can be asked for before the outline is here. So for each peer that is late one more is
    /// asked at once: if many are dead, that is not found out one by one.
    private var mayDoubleOutline: Bool {
        let asked = partials.count { $0.key.part == .outline && !$0.value.isSlow }
        return asked > 0 && asked <= sources.count(where: \.isLate)
    }

    mutating func giveBack(_ part: ContentPart) {
        switch part {
        case .outline: isOutlineTaken = false
        case .piece(let index): if !open.contains(index) { open.append(index) }
        }
    }

    /// Takes in the bytes found for a part that was taken; `nil`, and the part is given back, if they are not
    /// what they must be.
    mutating func supply(_ bytes: [UInt8], for part: ContentPart) -> CompletedPart? {
        let completed = verified(bytes, as: part)
        if completed == nil { giveBack(part) }
        return completed
    }

    /// Takes a part in if it is what it must be.
    private mutating func verified(_ bytes: [UInt8], as part: ContentPart) -> CompletedPart? {
        switch part {
        case .outline:
            outline = reference.digests(in: bytes)
            return outline == nil ? nil : .outline(bytes)
        case .piece(let index):
            guard let outline, outline[index].isDigest(of: bytes) else { return nil }
            missing -= 1
            held += bytes.count
            return .piece(bytes, index: index)
        }
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
