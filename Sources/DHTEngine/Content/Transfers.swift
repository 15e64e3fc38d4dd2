import DHTCore
import DHTEnvelope

/// Content that is being brought, sent, read or written: the state of it all.
///
/// The core knows records alone. A STORE of one that refers to content takes longer, that is all: its
/// receiver brings the content first, and its sender asks again until that is done.
struct Transfers: Sendable {
    /// Content that somebody wants us to keep.
    struct Incoming: Sendable {
        var fetch: ContentFetch
        /// Where the record belongs.
        let location: NodeID
        /// Who offered it; ourselves, if we came to see a record of it.
        let sender: Identity
        /// The digest of the record that was offered.
        let record: Digest
        let begun: Instant
        /// When something of it last came.
        var grown: Instant
        /// Parts on their way to the store.
        var unwritten = 0
        /// All who ought to have it have been asked.
        var isWidened = false
        /// Changes that wait for it.
        var held: [(Ticket, [RecordChange])] = []
    }

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
        /// Where the pieces of one go that is read as its user takes it.
        var outlet: ReadingOutlet?
        /// It is in our own store.
        var isLocal: Bool
        var isWidened = false

        /// It counts among the readings that go at once: one read as its user takes it does while peers are
        /// asked for parts of it.
        var isActive: Bool { outlet == nil || fetch.partsUnderWay > 0 }
    }

    /// A reading that waits for others to end.
    enum Waiting: Sendable {
        case new(OperationID, Record, [Contact])
        /// It has begun, and waits to go on.
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
        /// What is to be written, and the pieces of it that were not handed to the store yet, the first of
        /// them last.
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

    /// Whose chunks are asked of others.
    enum Client: Hashable, Sendable {
        case incoming(ContentReference)
        case reading(OperationID)
    }

    /// To whom a part of our own store goes.
    enum Recipient: Hashable, Sendable {
        case reading(OperationID)
        case inbound(RequestID, chunk: Int)
        /// It is only looked at.
        case mending
    }

    /// What a ticket of ours is for.
    enum Errand: Hashable, Sendable {
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
    /// Between two looks at what is on its way.
    static let lookInterval = Interval.milliseconds(500)
    /// When so many bytes came to be referred to, it is looked at once what no record refers to any more.
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
    /// Who gave what content is not.
    var liars = ContentLiars()
    /// Who says that it wants content of ours.
    var wants = Wants()
    /// When to look at what is on its way; `nil`: nothing is.
    var nextLook: Instant?
    /// By the record's digest.
    private(set) var uploads: [Digest: Upload] = [:]
    var calls: [CallID: (client: Client, wish: ContentFetch.ChunkRequest)] = [:]
    var errands: [Ticket: Errand] = [:]
    /// Who waits for parts that are being read.
    var loads: [PartName: [Recipient]] = [:]
    var refusals: [Offer: (refusal: Response.Refusal, until: Instant)] = [:]
    /// When to look for content that no record refers to; `nil`: there is none at all.
    var nextSurvey: Instant?
    private var nextName: UInt64 = 0

    // MARK: Names

    mutating func ticket(for errand: Errand) -> Ticket {
        nextName += 1
        let ticket = Ticket(rawValue: nextName | 1 << 63)
        errands[ticket] = errand
        return ticket
    }

    mutating func call(for wish: ContentFetch.ChunkRequest, of client: Client) -> CallID {
        nextName += 1
        let call = CallID(rawValue: nextName | 1 << 63)
        calls[call] = (client, wish)
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
        nextSurvey = nextSurvey ?? now + Self.surveyInterval
        return inventory.begin(reference, for: owner, at: now)
    }

    /// Of these, those who may be asked for the content.
    func truthful(_ contacts: [Contact], of content: Digest, at now: Instant) -> [Contact] {
        contacts.filter { !liars.contains($0.identity, of: content, at: now) }
    }

    /// This peer gave what the content is not: nobody who is bringing it asks it any more.
    mutating func note(_ liar: Identity, of reference: ContentReference, at now: Instant) {
        liars.note(liar, of: reference.digest, at: now)
        incoming[reference]?.fetch.dismiss(liar)
        for operation in readings.keys where readings[operation]?.fetch.reference == reference {
            readings[operation]?.fetch.dismiss(liar)
        }
        if stalled?.fetch.reference == reference { stalled?.fetch.dismiss(liar) }
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

    // MARK: Uploads

    mutating func beginUpload(of record: Record) {
        guard let reference = record.reference else { return }
        inventory.claim(reference.digest, for: record)
        uploads[record.digest] = Upload(key: Array(record.key), reference: reference)
    }

    /// A replica has so much of the content; `nil`: it is none any more.
    mutating func noteUpload(of request: Request, to peer: Identity, held: UInt32?) {
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

/// How far content on its way is.
package struct TransferState: Hashable, Sendable {
    package let key: [UInt8]
    /// To replicas; else to us.
    package let isUpload: Bool
    /// Bytes that arrived, at all replicas together, and those that are to.
    package let done: UInt64
    package let total: UInt64
}

extension Transfers {
    /// What users wait for, by key.
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

extension CallID {
    /// A chunk of content is asked for: none of the core's business.
    var isTransfer: Bool { rawValue >> 63 == 1 }
}

extension Ticket {
    /// Given by ``Transfers``.
    var isTransfer: Bool { rawValue >> 63 == 1 }
}

extension Transfers {
    /// A reading that begins; as a whole, it goes on where one of the same content got stuck.
    mutating func newReading(
        of record: Record,
        _ reference: ContentReference,
        from contacts: [Contact],
        through outlet: ReadingOutlet?
    ) -> Reading {
        if outlet == nil, var reading = stalled, reading.fetch.reference == reference {
            stalled = nil
            reading.isWidened = false
            return reading
        }
        return Reading(
            record: record,
            contacts: contacts,
            fetch: ContentFetch(reference),
            bytes: [UInt8](repeating: 0, count: outlet == nil ? Int(reference.length) : 0),
            outlet: outlet,
            isLocal: inventory.isComplete(reference)
        )
    }
}
