import DHTCore
import DHTEnvelope

/// Long values, as a machine: content that is being brought, sent, read, written or mended.
///
/// The core knows records alone. A STORE of one that refers to content takes longer, that is all: its
/// receiver brings the content first, and its sender asks again until that is done.
///
/// Events are members' requests and offers, chunks, the store's outcomes, users' operations and time; each
/// comes with a ``ContentTurn``, whose steps the engine does afterwards, in order.
struct ContentTransfers: Sendable {
    /// Content that somebody wants us to keep.
    struct Incoming: Sendable {
        var fetch: ContentFetch
        /// Where the record belongs.
        let location: NodeID
        /// The peer that offered the content; ourselves, if we came to see a record of it.
        let sender: Identity
        /// The digest of the record that was offered.
        let record: Digest
        let begun: Instant
        /// When a chunk of the content last came.
        var grown: Instant
        /// Parts on their way to the store.
        var unwritten = 0
        /// All who ought to have the content have been asked.
        var isWidened = false
        /// Changes that wait for the content.
        var held: [(Ticket, [RecordChange])] = []
    }

    /// When to look at the transfers under way, and when for content that no record refers to.
    enum Timer: Int, CaseIterable, Sendable { case look, survey }

    /// A record that a member offers: the same content may come to us by another one, or anew.
    struct Offer: Hashable, Sendable {
        let sender: Identity
        let record: Digest
    }

    /// Content that a user reads.
    struct Reading: Sendable {
        let record: Record
        let contacts: [Contact]
        var fetch: ContentFetch
        var bytes: [UInt8] = []
        /// Where the pieces go, of a value that is read as its user takes it; `nil`: it is read as a whole.
        var outlet: ReadingOutlet?
        /// The content is in our own store.
        var isLocal: Bool
        var isWidened = false

        /// Whether this counts among the readings that go at once: one read as its user takes it does while
        /// peers are asked for parts of it.
        var isActive: Bool { outlet == nil || fetch.partsUnderWay > 0 }
    }

    /// A reading that waits for others to end.
    enum Waiting: Sendable {
        case new(OperationID, Record, [Contact])
        /// The reading has begun, and waits to go on.
        case begun(OperationID)

        var id: OperationID {
            switch self {
            case .new(let id, _, _), .begun(let id): id
            }
        }
    }

    /// Content of a user's value on its way to our own store.
    struct Import: Sendable {
        var put: Operation.Put
        /// The content to be written, and the pieces of it that were not handed to the store yet, the first
        /// of them last.
        var content: Content?
        var unasked: [Int] = []
        /// Parts that the store has not written.
        var unwritten: Int
        var refusal: Response.Refusal?
    }

    /// A record on its way to its replicas, and how much of its content each of them has.
    struct Upload: Sendable {
        let key: [UInt8]
        let reference: ContentReference
        var held: [Identity: UInt32] = [:]
    }

    /// The transfer for which chunks are asked of peers.
    enum Client: Hashable, Sendable {
        case incoming(ContentReference)
        case reading(OperationID)
    }

    /// The recipient of a part of our own store.
    enum Recipient: Hashable, Sendable {
        case reading(OperationID)
        case inbound(RequestID, chunk: Int)
        /// The part is only looked at.
        case mending
    }

    /// The purpose of a ticket of ours.
    enum TicketPurpose: Hashable, Sendable {
        case outline(ContentReference)
        case piece(ContentReference, index: Int)
        case imported(OperationID, ContentReference, index: Int?)
        case part(PartName)
        case survey
        case removal
    }

    /// Content brought at once for others, of which so much for one of them, and read at once by users.
    /// Further ones wait.
    static let incomingLimit = 16
    static let incomingBySender = 4
    static let readingLimit = 4
    /// Pieces of values that are read as their users take them, ahead of these: of all readings together,
    /// though one at least of each. About 16 MB.
    static let streamedPieces = 256
    /// Content of which nothing comes for this long is brought no more.
    static let incomingPatience = Interval.seconds(30)
    /// Content may take this long, and as long again as it needs at so many bytes a second: here, and at
    /// those who want ours.
    static let leastAllowance = Interval.seconds(30)
    static let leastRate: UInt64 = 16_384
    /// Between two looks at the transfers under way.
    static let lookInterval = Interval.milliseconds(500)
    /// Once records began to refer to so many bytes more, content that none refers to is looked for at once.
    static let surveyBytes = 64 << 20
    /// Parts of one content that are under way to us or to the store.
    static let partLimit = 16
    /// Between two looks for content that no record refers to.
    static let surveyInterval = Interval.minutes(1)
    /// For how long it is told why content was not taken.
    static let refusalMemory = Interval.seconds(30)
    static let refusalCapacity = 1024

    var inventory = ContentInventory()
    var cache = PartCache()
    var incoming: [ContentReference: Incoming] = [:]
    var readings: [OperationID: Reading] = [:]
    /// Reads that wait for others to end.
    var waiting: [Waiting] = []
    /// The last read that found nobody to go on with: the next one does.
    var stalled: Reading?
    var imports: [OperationID: Import] = [:]
    var mending = Mending()
    /// Peers that gave wrong parts of content.
    var liars = ContentLiars()
    /// Peers that say they want content of ours.
    var wants = Wants()
    /// Uploads by the record's digest.
    private(set) var uploads: [Digest: Upload] = [:]
    var calls: [CallID: (client: Client, chunkRequest: ContentFetch.ChunkRequest)] = [:]
    var tickets: [Ticket: TicketPurpose] = [:]
    /// The recipients that wait for each part being read.
    var loads: [PartName: [Recipient]] = [:]
    var refusals: [Offer: (refusal: Response.Refusal, until: Instant)] = [:]
    var timers = TimerTable<Timer>()
    var counters = ContentCounters()
    private var nextName: UInt64 = 0

    // MARK: Time

    /// When ``advance(_:)`` has something to do.
    var deadline: Instant? { earlier(timers.next, mending.deadline) }

    /// Does the work that has fallen due.
    mutating func advance(_ turn: inout ContentTurn) {
        lookAtTransfers(&turn)
        surveyContent(&turn)
        mendContent(&turn)
    }

    /// The collections that others can make grow. `calls`: as many are under way.
    func bounds(calls: Int) -> [Bound] {
        [
            Bound("content brought", incoming.count, of: Self.incomingLimit),
            Bound("content refused", refusals.count, of: Self.refusalCapacity),
            Bound("bytes promised to members", inventory.promised, of: ContentInventory.strangeLimit),
            Bound("content wanted", wants.count, of: calls),
            Bound("liars about content", liars.count, of: ContentLiars.capacity),
            Bound("parts at hand", cache.count, of: PartCache.capacity),
        ]
    }

    // MARK: Names

    mutating func ticket(for purpose: TicketPurpose) -> Ticket {
        nextName += 1
        let ticket = Ticket.content(nextName)
        tickets[ticket] = purpose
        return ticket
    }

    mutating func call(for chunkRequest: ContentFetch.ChunkRequest, of client: Client) -> CallID {
        nextName += 1
        let call = CallID.content(nextName)
        calls[call] = (client, chunkRequest)
        return call
    }

    // MARK: Content

    /// How long content of this length may take.
    static func allowance(for length: UInt32) -> Interval {
        leastAllowance + Interval(nanoseconds: UInt64(length) *| 1_000_000_000 / leastRate)
    }

    /// The store is about to have some of this content; `false` if it had before.
    mutating func begin(_ reference: ContentReference, for owner: ContentInventory.Owner, at now: Instant)
        -> Bool
    {
        timers.start(.survey, at: now + Self.surveyInterval)
        return inventory.begin(reference, for: owner, at: now)
    }

    /// Of these, those who may be asked for the content.
    func truthful(_ contacts: [Contact], of content: Digest, at now: Instant) -> [Contact] {
        contacts.filter { !liars.contains($0.identity, of: content, at: now) }
    }

    /// This peer gave a wrong part of the content: no fetch of the content asks it any more.
    mutating func record(_ liar: Identity, of reference: ContentReference, at now: Instant) {
        liars.record(liar, of: reference.digest, at: now)
        incoming[reference]?.fetch.dismiss(liar)
        for operation in readings.keys where readings[operation]?.fetch.reference == reference {
            readings[operation]?.fetch.dismiss(liar)
        }
        if stalled?.fetch.reference == reference { stalled?.fetch.dismiss(liar) }
    }

    /// These peers are admitted no more: nothing is asked of them.
    mutating func expel(where isGone: (Identity) -> Bool) {
        for reference in incoming.keys { incoming[reference]?.fetch.expel(where: isGone) }
        for operation in readings.keys { readings[operation]?.fetch.expel(where: isGone) }
        stalled?.fetch.expel(where: isGone)
    }

    var activeReadings: Int { readings.values.count(where: \.isActive) }

    /// Pieces of one reading that may be under way, or wait for its user: as many as ``streamedPieces``
    /// allows for each.
    var streamWindow: Int {
        let count = max(readings.values.count { $0.outlet != nil && !$0.isLocal }, 1)
        return min(max(Self.streamedPieces / count, 1), Self.partLimit)
    }

    /// Content brought for a member.
    func incomingCount(of sender: Identity) -> Int { incoming.values.count { $0.sender == sender } }

    // MARK: Requests of ours

    /// We offer a record of ours or of others: its content is not to go meanwhile.
    mutating func recordOffer(_ request: Request, at now: Instant) {
        guard case .store(let record, _) = request, let reference = record.reference else { return }
        inventory.touch(reference.digest, at: now)
    }

    /// The peer says that it brings the content of the record that the call offers, and has so much of it:
    /// whether that is believed.
    mutating func isWanted(by call: OutgoingCall, held: UInt32, at now: Instant) -> Bool {
        guard case .store(let record, _) = call.request, let reference = record.reference else {
            return false
        }
        return wants.claimed(reference, held: held, by: call.contact.identity, for: call.id, at: now)
    }

    /// The call is over.
    mutating func ended(_ call: OutgoingCall) {
        guard case .store(let record, _) = call.request, let reference = record.reference else { return }
        wants.ended(call.id, to: call.contact.identity, about: reference.digest)
    }

    // MARK: Uploads

    mutating func beginUpload(of record: Record) {
        guard let reference = record.reference else { return }
        inventory.claim(reference.digest, for: record)
        uploads[record.digest] = Upload(key: Array(record.key), reference: reference)
    }

    /// A replica has so much of the content; `nil`: it is none any more.
    mutating func recordUpload(of request: Request, to peer: Identity, held: UInt32?) {
        guard !uploads.isEmpty, case .store(let record, _) = request else { return }
        uploads[record.digest]?.held[peer] = held
    }

    mutating func endUpload(of record: Record) { uploads[record.digest] = nil }

    /// Nobody refers to content whose record is on its way, and the way may be long.
    mutating func touchUploads(at now: Instant) {
        for upload in uploads.values { inventory.touch(upload.reference.digest, at: now) }
    }

    /// Whether a user of ours is putting this content.
    func isPut(_ reference: ContentReference) -> Bool {
        uploads.values.contains { $0.reference == reference }
            || imports.values.contains { $0.put.value == reference.encoded }
    }
}

extension CallID {
    var isContent: Bool { if case .content = self { true } else { false } }
}

extension Ticket {
    var isContent: Bool { if case .content = self { true } else { false } }
}

/// Counters of the transfers of content so far.
struct ContentCounters: Hashable, Sendable {
    /// Chunks given to others, and got from them.
    var chunksServed: UInt64 = 0
    var chunksFetched: UInt64 = 0
    /// Content that was to be kept and was given up.
    var abandoned: UInt64 = 0
    /// Parts that were not what they must be, and such as took so long that others were asked.
    var brokenParts: UInt64 = 0
    var slowParts: UInt64 = 0
}
