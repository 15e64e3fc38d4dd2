import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage
import Logging
import NIOCore
import NIOPosix

/// Makes the parts of a node that a configuration asks for, and puts them together.
struct NodeBuilder: Sendable {
    private let configuration: NodeConfiguration

    init(_ configuration: NodeConfiguration) { self.configuration = configuration }

    private var identity: Identity { configuration.key.identity }

    /// The loop with its engine, which knows what the directory holds. Opening that blocks another thread.
    func makeLoop() async throws(DHTError) -> NodeLoop {
        switch configuration.storage {
        case .memory:
            let held = configuration.admission.list == nil ? nil : configuration.roster
            let board = board(held, in: nil, written: nil)
            return loop(around: makeEngine(makeCore(), held), storage: RecordStorage(nil), board)
        case .directory(let directory, let durability):
            do {
                return try await configuration.threadPool.runIfActive {
                    try makeLoop(in: directory, durability)
                }
            } catch let error as DHTError {
                throw error
            } catch { throw DHTError(.configuration, "the thread pool of the configuration does not run") }
        }
    }

    private func makeLoop(in directory: String, _ durability: NodeConfiguration.Durability) throws -> NodeLoop
    {
        try Exposure.refuse(directory: directory)
        do {
            let database = try NodeDatabase(
                directory: directory,
                owner: identity,
                durability: durability == .full ? .full : .normal
            )
            let store = try SQLiteRecordStore(database) { RecordCodec.decode($0) }
            var core = makeCore()
            try store.forEachEntry { location, entry in core.restore(entry, at: location) }
            let written = try RosterShelf.read(directory, network: configuration.network.networkKey.id)
            let held = roster(after: written)
            var engine = makeEngine(core, held)
            engine.remember(try database.revisions())
            engine.restoreRenewed(try database.kept(), at: SystemClock.now)
            try store.dropStrays()
            for content in try store.contents() { engine.restore(content, at: SystemClock.now) }
            let contacts = try database.contacts()
            engine.remember(contacts.map { ($0.identity, $0.endpoint) })
            let disk = DiskStorage(
                store,
                commits: NodeMetrics.commits(configuration.metrics),
                logger: logger
            )
            let keeper = StateKeeper(contacts, unixMilliseconds: SystemClock.now.unixMilliseconds)
            let board = board(held, in: directory, written: written)
            return loop(
                around: engine,
                storage: RecordStorage(disk),
                board,
                RosterShelf.invitations(in: directory),
                keeper
            )
        } catch let error as NodeDatabaseError {
            throw DHTError(error)
        } catch let error as RecordStoreError {
            throw DHTError(.internal, "\(directory): the records cannot be read: \(error)")
        }
    }

    /// Its lines carry the node's identity.
    private var logger: Logger {
        var logger = configuration.logger
        logger[metadataKey: "identity"] = "\(identity.text)"
        return logger
    }

    private func loop(
        around engine: consuming sending Engine,
        storage: RecordStorage,
        _ board: MembershipBoard,
        _ invitations: InvitationBook = InvitationBook(),
        _ keeper: StateKeeper = StateKeeper()
    ) -> NodeLoop {
        NodeLoop(
            engine: engine,
            storage: storage,
            board: board,
            invitations: invitations,
            keeper: keeper,
            operationsInFlight: max(1, configuration.limits.operationsInFlight),
            threads: configuration.limits.threads,
            eventLoop: configuration.eventLoopGroup.next(),
            metrics: configuration.metrics,
            logger: logger
        )
    }

    /// The roster of the process before this one, unless the configuration's is one that may follow it.
    private func roster(after written: Roster?) -> Roster? {
        // In open mode no roster has a say.
        guard case .members(let list) = configuration.admission else { return nil }
        guard let held = written else { return configuration.roster }
        let network = configuration.network.networkKey.id
        guard let other = configuration.roster else { return held }
        let revoked = Set(list.revoked.map(\.identity))
        switch RosterKeeper(network: network, revoked: revoked, held: held).judge(other.head) {
        case .newer: return other
        case .held, .older: break
        case .conflict, .forged, .stranger:
            logger.warning(
                "the roster of the configuration does not follow the one in the directory, which counts",
                metadata: ["serial": "\(other.serial)", "held": "\(held.serial)"]
            )
        }
        return held
    }

    /// `written`: the roster that the directory holds already.
    private func board(_ held: Roster?, in directory: String?, written: Roster?) -> MembershipBoard {
        let shelf = RosterShelf(
            directory,
            network: configuration.network.networkKey.id,
            pool: configuration.threadPool,
            logger: logger
        )
        if let held, held.head != written?.head { shelf.keep(held) }
        return MembershipBoard(configuration, roster: held, shelf: shelf)
    }

    private func makeEngine(_ core: KademliaNode, _ held: Roster?) -> Engine {
        let now = SystemClock.now.instant
        let keys = KeyRing(
            signing: configuration.key.signingKey.copy(),
            network: configuration.network.networkKey.copy(),
            at: now
        )
        var limits = limits
        if held != nil || !configuration.admission.policy(for: identity).administrators.isEmpty {
            limits.expectedMembers = (held?.list.members.count ?? 0) + Self.roomForMembers
        }
        let gate = Gate(
            keys: keys,
            admission: configuration.admission.policy(for: identity),
            limits: limits,
            entropy: SystemEntropy(),
            at: now
        )
        var engine = Engine(gate: gate, core: core)
        engine.follow(held, at: now)
        return engine
    }

    /// Members that a roster may bring while a node runs before keys are derived again and again.
    private static let roomForMembers = 128

    private var limits: Gate.Limits {
        let highest = NodeConfiguration.Limits.highestRate
        var limits = Gate.Limits()
        limits.firstContacts = min(configuration.limits.firstContacts, highest)
        limits.firstContactsBySource = min(configuration.limits.firstContactsBySource, highest)
        limits.requestsByPeer = min(configuration.limits.requestsByPeer, highest)
        return limits
    }

    private func makeCore() -> KademliaNode {
        var settings = KademliaNode.Settings()
        settings.paths = configuration.paths
        settings.quota.records = configuration.limits.records
        settings.quota.bytes = configuration.limits.recordBytes
        settings.quota.recordsByAuthor = configuration.limits.recordsByAuthor
        settings.quota.bytesByAuthor = configuration.limits.recordBytesByAuthor
        return KademliaNode(
            identity: identity,
            id: identity.nodeID,
            settings: settings,
            generator: SystemEntropy()
        )
    }
}

extension DHTError {
    /// Why a node's directory was not opened.
    init(_ error: NodeDatabaseError) {
        let code: Code =
            switch error {
            case .absent, .inUse, .noDatabase, .irregular, .foreign, .newer, .otherOwner, .putBack, .noPlace:
                .configuration
            case .damaged, .altered: .integrity
            case .denied, .readOnly: .denied
            case .unavailable: .internal
            }
        self.init(code, error.description)
    }
}
