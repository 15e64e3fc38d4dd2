import CoreMetrics
import DHTCore
import DHTCrypto
import DHTEnvelope
import Logging
import NIOCore
import NIOPosix

/// The identities that may speak to a node.
public enum Admission: Sendable {
    /// The members of this list; an empty list admits nobody.
    case members(Allowlist)
    /// All holders of the network key. Membership then is possession of one shared secret: nobody can be
    /// expelled.
    case everyHolderOfTheNetworkKey
}

/// A host, by name or address, and a port.
public struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// The host that stands for all addresses of this machine, of both families, where one listens.
    public static let everywhere = "*"

    /// A name, an address without brackets, or ``everywhere``.
    public let host: String
    /// A UDP port; 0, where one listens, takes a free one.
    public let port: UInt16

    /// The host and the port, unchecked: ``DHTNode/start(_:)`` says what is wrong with them.
    public init(host: String, port: UInt16) { (self.host, self.port) = (host, port) }

    /// `host:port`, an IPv6 address in brackets; `nil` if the text is nothing of the kind.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
            text[text.index(after: colon)...].allSatisfy(\.isNumber)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        self.init(host: String(host), port: port)
    }

    /// `host:port`, an IPv6 address in brackets.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// An address with a zone means something on one machine only, and where it is told to others it would
    /// lead nowhere.
    package func checkIsNotLinkLocal() throws(DHTError) {
        let address = host.prefix { $0 != "%" }
        let isLinkLocal = HostPort(host: String(address), port: 1).numeric?.isLinkLocal ?? false
        guard isLinkLocal || (host.contains("%") && host.contains(":")) else { return }
        throw DHTError(
            .invalidArgument,
            "\(self): \(AllowlistOption.noLinkLocal)"
        )
    }
}

/// A peer as people write it: `dht://<identity>@host:port`. The identity is pinned: nobody else can answer
/// for it.
public struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    /// The public key that the peer has to prove.
    public let identity: Identity
    /// The place to begin looking for it.
    public let address: HostPort

    /// A peer; unlike the text form, nothing is checked before ``DHTNode/start(_:)``.
    public init(identity: Identity, address: HostPort) { (self.identity, self.address) = (identity, address) }

    /// Parses the text form; the error says what is wrong with it.
    public init(parsing text: String) throws(DHTError) {
        func refuse(_ why: String) -> DHTError {
            DHTError(.invalidArgument, "\(text): \(why). A peer is written dht://IDENTITY@HOST:PORT")
        }
        if mentionsSecret(text) {
            throw DHTError(
                .invalidArgument,
                "a peer is written dht://IDENTITY@HOST:PORT; this holds a secret and was not printed"
            )
        }
        guard text.hasPrefix("dht://") else { throw refuse("it does not begin with dht://") }
        let rest = text.dropFirst("dht://".count)
        guard let at = rest.firstIndex(of: "@") else { throw refuse("it names no identity before an @") }
        guard let address = HostPort(String(rest[rest.index(after: at)...])), address.port != 0 else {
            throw refuse("what follows the @ is no HOST:PORT")
        }
        do { try address.checkIsNotLinkLocal() } catch { throw refuse(AllowlistOption.noLinkLocal) }
        guard address.host != HostPort.everywhere else { throw refuse("* is no host; it is for listening") }
        let identity: Identity
        do { identity = try Identity(text: String(rest[..<at])) } catch { throw refuse("\(error)") }
        self.init(identity: identity, address: address)
    }

    /// `dht://IDENTITY@HOST:PORT`.
    public var description: String { "dht://\(identity.text)@\(address)" }
}

/// All a node needs to run. Units, defaults and effects of each setting: `docs/operations.md`.
public struct NodeConfiguration: Sendable {
    /// The secret key, and so the identity, of the node.
    public var key: NodeKey
    /// Isolates the overlay. The default is the same for everybody: it hides nothing from anybody.
    public var network: NetworkSecret
    /// The identities that the node speaks with; all others get silence.
    public var admission: Admission
    /// The roster to begin with, if the directory holds none, or an older one that allows it. `nil`: that of
    /// the directory, or none: then the node follows the first that an administrator signed whom
    /// ``admission`` pins.
    public var roster: Roster?
    /// The key by which this node signs rosters, see ``DHTNode/admit(_:name:addresses:)``; `nil`: it signs
    /// none.
    public var administrator: NodeKey?
    /// Where to listen; port 0 takes a free one.
    public var listen: [HostPort]
    /// Peers to contact first, besides the `addr=` entries of the allowlist.
    public var peers: [PeerAddress]
    /// For people only: shown by `status`.
    public var name: String?
    /// The place of the records: memory, unless a directory is given.
    public var storage: Storage
    /// d: disjoint paths of each lookup for a user, 1…8. Peers that lie mislead only the paths they are on;
    /// every path costs about as many requests as the first, but for reads that find what they want straight
    /// away. (S/Kademlia, section 4.4.)
    public var paths: Int
    /// Bounds on work and room.
    public var limits: Limits
    /// Where the node's sockets and its engine live: one of its event loops.
    public var eventLoopGroup: any EventLoopGroup
    /// Where the directory is opened, which blocks. Has to be running.
    public var threadPool: NIOThreadPool
    /// Its lines carry the node's identity.
    public var logger: Logger
    /// The backend that the node's metrics go to; with the default that of the process, as it is now.
    ///
    /// Their names are in `docs/operations.md`. Nodes of one process that share a backend share its series:
    /// give each its own, or one that adds a label.
    public var metrics: any MetricsFactory

    /// A configuration; ``DHTNode/start(_:)`` checks it.
    public init(
        key: NodeKey,
        network: NetworkSecret = .wellKnown,
        admission: Admission,
        roster: Roster? = nil,
        administrator: NodeKey? = nil,
        listen: [HostPort] = [HostPort(host: "0.0.0.0", port: 4100)],
        peers: [PeerAddress] = [],
        name: String? = nil,
        storage: Storage = .memory,
        paths: Int = 1,
        limits: Limits = Limits(),
        eventLoopGroup: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup,
        threadPool: NIOThreadPool = .singleton,
        logger: Logger = Logger(label: "dht"),
        metrics: any MetricsFactory = MetricsSystem.factory
    ) {
        self.key = key
        self.network = network
        self.admission = admission
        self.roster = roster
        self.administrator = administrator
        self.listen = listen
        self.peers = peers
        self.name = name
        self.storage = storage
        self.paths = paths
        self.limits = limits
        self.eventLoopGroup = eventLoopGroup
        self.threadPool = threadPool
        self.logger = logger
        self.metrics = metrics
    }

    /// Where a node keeps its records, and what else it is to know after a restart.
    public enum Storage: Hashable, Sendable {
        /// In memory: all ends with the process.
        case memory
        /// In an SQLite database in this directory, which is made (0700) if it is missing and serves one node
        /// at a time, always of the same identity.
        case directory(String, Durability = .full)
    }

    /// How safe a record in a directory is when its node acknowledges it.
    public enum Durability: String, CaseIterable, Sendable {
        /// The record is on the disk: it survives a crash of the process, of the system, and a power cut.
        case full
        /// The record is with the system: it survives a crash of the process; a power cut may take the last.
        case normal
    }

    static func check(paths: Int) throws(DHTError) {
        let counts = DisjointLookup.pathCounts
        guard counts.contains(paths) else {
            throw DHTError(
                .invalidArgument,
                "disjoint paths are \(counts.lowerBound) to \(counts.upperBound), not \(paths)"
            )
        }
    }

    /// Bounds on what the network, and the user, may make a node do or keep.
    public struct Limits: Sendable {
        /// The rate, per second, that higher ones are taken for.
        public static let highestRate: UInt32 = 1_000_000

        /// First-contact requests opened a second, in all.
        public var firstContacts: UInt32
        /// First-contact requests opened a second, by source address.
        public var firstContactsBySource: UInt32
        /// Requests a second by authenticated peer.
        public var requestsByPeer: UInt32
        /// Records kept, in all.
        public var records: Int
        /// Bytes of records kept, in all.
        public var recordBytes: Int
        /// Records kept of one author.
        public var recordsByAuthor: Int
        /// Bytes of records kept of one author.
        public var recordBytesByAuthor: Int
        /// Puts, gets, deletes and pings of this node's user that are under way at a time, at most; further
        /// ones wait for their turn. Fewer are, 16 at least, as long as requests have to be sent again.
        public var operationsInFlight: Int
        /// Threads that sign, verify, seal and open at once, when many datagrams come or go together: at
        /// most so many, the node's own among them. They are Dispatch's.
        public var threads: Int

        /// The limits; those left out have their defaults.
        public init(
            firstContacts: UInt32 = 200,
            firstContactsBySource: UInt32 = 5,
            requestsByPeer: UInt32 = 5_000,
            records: Int = 1_000_000,
            recordBytes: Int = 512 << 20,
            recordsByAuthor: Int = 100_000,
            recordBytesByAuthor: Int = 64 << 20,
            operationsInFlight: Int = 1_024,
            threads: Int = System.coreCount
        ) {
            (self.firstContacts, self.firstContactsBySource) = (firstContacts, firstContactsBySource)
            (self.requestsByPeer, self.records, self.recordBytes) = (requestsByPeer, records, recordBytes)
            (self.recordsByAuthor, self.recordBytesByAuthor) = (recordsByAuthor, recordBytesByAuthor)
            self.operationsInFlight = operationsInFlight
            self.threads = threads
        }
    }
}
