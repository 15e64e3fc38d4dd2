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

    /// Content that a user reads.
    struct Reading: Sendable {
        let record: Record
        let contacts: [Contact]
        var fetch: ContentFetch
        var bytes: [UInt8]
        /// It is in our own store.
        var isLocal: Bool
        var isWidened = false
    }

    /// Content of a user's value on its way to our own store.
    struct Import: Sendable {
        var put: Operation.Put
        var unwritten: Int
        var refusal: Response.Refusal?
    }

    /// A record on its way to its replicas, and how much of its content each of them has.
    struct Upload: Sendable {
        let key: [UInt8]
        let length: UInt32
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
        case inquiry(InquiryID, chunk: Int)
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
    /// Content of which nothing comes for this long is brought no more.
    static let incomingPatience = Span.seconds(30)
    /// Content may take this long, and as long again as it needs at so many bytes a second: here, and at
    /// those who want ours.
    static let leastAllowance = Span.seconds(30)
    static let leastRate: UInt64 = 16_384
    /// Between two looks at what is on its way.
    static let lookInterval = Span.milliseconds(500)
    /// When so many bytes came to be referred to, it is looked at once what no record refers to any more.
    static let surveyBytes = 64 << 20
    /// Parts of one content that are under way to us or to the store.
    static let partLimit = 16
    /// Between two looks for content that no record refers to.
    static let surveyInterval = Span.minutes(1)
    /// For how long it is told why content was not taken.
    static let refusalMemory = Span.seconds(30)
    static let refusalCapacity = 1024

    var shelf = ContentShelf()
    var cache = PartCache()
    var incoming: [ContentReference: Incoming] = [:]
    var readings: [OperationID: Reading] = [:]
    /// Reads that wait for others to end.
    var waiting: [(OperationID, Record, [Contact])] = []
    /// The last read that found nobody to go on with: the next one does.
    var stalled: Reading?
    var imports: [OperationID: Import] = [:]
    /// Who gave what content is not.
    var liars = ContentLiars()
    /// Who says that it wants content of ours.
    var wants = Wants()
    /// When to look at what is on its way; `nil`: nothing is.
    var nextLook: Instant?
    /// By the record's digest.
    private(set) var uploads: [Digest: Upload] = [:]
    var calls: [CallID: (client: Client, wish: ContentFetch.Wish)] = [:]
    var errands: [Ticket: Errand] = [:]
    /// Who waits for parts that are being read.
    var loads: [PartName: [Recipient]] = [:]
    var refusals: [ContentReference: (refusal: Response.Refusal, until: Instant)] = [:]
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

    mutating func call(for wish: ContentFetch.Wish, of client: Client) -> CallID {
        nextName += 1
        let call = CallID(rawValue: nextName | 1 << 63)
        calls[call] = (client, wish)
        return call
    }

    // MARK: Content

    /// How long content of this length may take.
    static func allowance(for length: UInt32) -> Span {
        leastAllowance + Span(nanoseconds: UInt64(length) *| 1_000_000_000 / leastRate)
    }

    /// The store is about to have some of this content; `false` if it had before.
    mutating func begin(_ reference: ContentReference, for owner: ContentShelf.Owner, at now: Instant) -> Bool
    {
        nextSurvey = nextSurvey ?? now + Self.surveyInterval
        return shelf.begin(reference, for: owner, at: now)
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

    /// Content brought for a member.
    func incomingCount(of sender: Identity) -> Int { incoming.values.count { $0.sender == sender } }

    // MARK: Uploads

    mutating func beginUpload(of record: Record) {
        guard let reference = record.reference else { return }
        uploads[record.digest] = Upload(key: Array(record.key), length: reference.length)
    }

    /// A replica has so much of the content; `nil`: it is none any more.
    mutating func noteUpload(of request: Request, to peer: Identity, held: UInt32?) {
        guard !uploads.isEmpty, case .store(let record, _) = request else { return }
        uploads[record.digest]?.held[peer] = held
    }

    mutating func endUpload(of record: Record) { uploads[record.digest] = nil }
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
                total: UInt64(upload.length) * UInt64(max(upload.held.count, 1))
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
