import DHTCore
import DHTEngine
import DHTEnvelope
import DHTStorage

/// Where a node's records are, and how that fares.
struct SimulatedDisk {
    var store = MemoryRecordStore()
    /// Good contacts of the process that ended last.
    var contacts: [(Identity, Endpoint)] = []
    /// The last of its own.
    var revisions: [NodeID: OwnRevisions] = [:]
    /// Milliseconds that reading or writing takes.
    var delay: ClosedRange<UInt64> = 0...0
    /// Nothing more fits.
    var isFull = false
    /// The probability that reading or writing fails.
    var failure = 0.0
    /// The roster that its node holds, in a world that has such.
    var roster: Roster?
    /// When what was asked of it before is done.
    var freeAt = Instant(nanoseconds: 0)
}

/// One machine of a world: who it is, what is wrong with it, and its engine while it runs.
final class SimulatedNode {
    let index: Int
    let contactAtStart: Contact
    /// Of the identity, for worlds with real keys.
    let keySeed: [UInt8]
    /// `nil` while it is down.
    var machine: (any AnyEngine)?
    var disk = SimulatedDisk()
    var port: UInt16 { didSet { endpoints = World.addresses(of: index, families, port: port) } }
    /// One of each of its families.
    private(set) var endpoints: [Endpoint]
    /// Those it has sockets of.
    let families: Endpoint.Families
    var policy: AdmissionPolicy
    var adversary: Adversary?
    /// Where it looks for others when it starts, by index.
    var seeds: [Int] = []
    /// The wall clock's error, in milliseconds.
    var clockError: Int64 = 0
    /// How far its monotonic clock is ahead of the world's.
    var clockOrigin = Interval(nanoseconds: 0)
    /// Nodes of one group reach each other.
    var group = 0
    /// Nothing gets in or out before then; it waits.
    var cloggedUntil = Instant(nanoseconds: 0)
    /// Grows with every start, so that what was meant for a dead process does not reach the next.
    var incarnation: Int32 = 0
    var startedAt = Instant(nanoseconds: 0)
    /// When its records were last lost.
    var lostAt: Instant?
    /// When the engine's timer fires; others that are on their way are out of date.
    var timer: Instant?
    /// Advances in a row at one moment.
    var spins = 0
    /// Nobody admits it any more.
    var isRevoked = false
    /// Those that answered it since it started: whom its table may hold.
    var answerers = IndexSet()
    /// Requests it took since it started, by their transmissions, where any may come twice.
    var accepted: Set<UInt64> = []

    init(
        index: Int,
        contact: Contact,
        keySeed: [UInt8],
        policy: AdmissionPolicy,
        families: Endpoint.Families = .ipv4
    ) {
        (self.index, self.families) = (index, families)
        contactAtStart = contact
        self.keySeed = keySeed
        self.policy = policy
        port = contact.endpoint.port
        endpoints = World.addresses(of: index, families, port: port)
    }

    var identity: Identity { contactAtStart.identity }
    var id: NodeID { contactAtStart.id }
    var isUp: Bool { machine != nil }
    /// Whether it runs, and keeps what it says.
    var isHonest: Bool { adversary == nil && !isRevoked }
    /// The first of ``endpoints``.
    var endpoint: Endpoint { endpoints[0] }
    var contact: Contact { Contact(identity: identity, id: id, endpoint: endpoint) }
}
