import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage
import Logging
import NIOCore
import NIOPosix

/// Drives one engine: sockets, timer, store. All of it on one event loop, whose thread is this actor's
/// executor, so that a datagram costs no hop.
actor NodeLoop {
    /// A socket the node listens on.
    struct Socket {
        let configured: HostPort
        var bound: Endpoint
        /// `nil` while it is closed.
        var socket: DatagramSocket?
        var rebindAttempts = 0
        var isBinding = false
    }

    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }

    var engine: Engine
    /// `nil`: records are in memory.
    let disk: DiskStorage?
    private var memory = MemoryRecordStore()
    let logger: Logger
    let started = SystemClock.now.instant
    var sockets: [Socket] = []
    /// What decides which of the sockets is used.
    var set = SocketSet()
    var addresses = AddressCache()
    /// Tells of changes of this machine's network, and what its addresses were when it last did.
    var watch: (any Channel)?
    var ownAddresses: Set<Endpoint> = []
    var isChangePending = false
    /// Who waits until a socket is open.
    var listeners: [CheckedContinuation<Void, Never>] = []
    var changes = 0
    var lastChange: NIODeadline?
    var lastMove: NIODeadline?
    private(set) var seeds: [PeerAddress] = []
    /// Names of peers of which it was said that they do not resolve.
    private var unresolved: Set<HostPort> = []
    private(set) var isStopping = false

    private var contactMemory: ContactSnapshot
    private var reminder: RepeatedTask?
    /// Whom the overlay consisted of lately, and whether anybody of them answers.
    var lately: LatelyHeard
    var health = HealthWatch()
    var splits = FamilyWatch()
    var healthTask: RepeatedTask?
    var tidying: Scheduled<Void>?
    private var timer: Scheduled<Void>?
    private var armed: Instant?
    var waiting: [OperationID: CheckedContinuation<Outcome?, Never>] = [:]
    /// Who waits for the next piece of a value.
    var pulls: [OperationID: CheckedContinuation<Pulled, Never>] = [:]
    var nextOperation: UInt64 = 0

    init(
        engine: consuming Engine,
        disk: DiskStorage?,
        contactMemory: ContactSnapshot = ContactSnapshot(),
        lately: LatelyHeard = LatelyHeard(),
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.engine = engine
        self.disk = disk
        self.contactMemory = contactMemory
        self.lately = lately
        self.eventLoop = eventLoop
        self.logger = logger
        disk?.report { [weak self] outcomes in
            guard let loop = self else { return }
            loop.eventLoop.execute { loop.assumeIsolated { $0.completed(outcomes) } }
        }
    }

    // MARK: The engine's wishes

    func perform(_ first: [EngineAction]) {
        let hasKeptChanges = rememberKept()
        var actions = first
        var index = 0
        while index < actions.count {
            let action = actions[index]
            index += 1
            switch action {
            case .transmit(let datagram, let endpoint): transmit(datagram, to: endpoint)
            case .load(let ticket, let location, let authors):
                if let disk {
                    disk.load(ticket, at: location, by: authors)
                } else {
                    let outcome = load(location, authors)
                    engine.complete(ticket, with: outcome, at: SystemClock.now, into: &actions)
                }
            case .loadPart(let ticket, let content, let part):
                if let disk {
                    disk.loadPart(ticket, part, of: content)
                } else {
                    let outcome = StorageOutcome.part(memory.part(part, of: content))
                    engine.complete(ticket, with: outcome, at: SystemClock.now, into: &actions)
                }
            case .survey(let ticket):
                if let disk {
                    disk.survey(ticket)
                } else {
                    let outcome = StorageOutcome.surveyed(memory.unreferredContent())
                    engine.complete(ticket, with: outcome, at: SystemClock.now, into: &actions)
                }
            case .apply(let ticket, let changes):
                if let disk {
                    disk.apply(ticket, changes)
                } else {
                    let outcome = apply(changes)
                    engine.complete(ticket, with: outcome, at: SystemClock.now, into: &actions)
                }
            case .signed(let revision, let location): disk?.note(revision, at: location)
            case .resolve(let seed): resolve(seed)
            case .retry(let endpoint): set.retry(endpoint, at: SystemClock.now.instant)
            case .piece(let operation, let bytes):
                pulls.removeValue(forKey: operation)?.resume(returning: .piece(bytes))
            case .finished(let operation, .fetched(let rest)) where pulls[operation] != nil:
                pulls.removeValue(forKey: operation)?.resume(returning: rest == nil ? .unreachable : .end)
            case .finished(let operation, let outcome):
                guard let continuation = waiting.removeValue(forKey: operation) else { continue }
                if hasKeptChanges, let disk {
                    // Who is told that a value is kept may kill us the next moment.
                    Task {
                        await disk.flush()
                        continuation.resume(returning: outcome)
                    }
                } else {
                    continuation.resume(returning: outcome)
                }
            }
        }
        if engine.core.conduct.hasNews { warn(of: engine.core.takeConductNews()) }
        if engine.gate.knocks.hasNews { warnOfKnocks() }
        if let news = engine.takeKeptNews(at: SystemClock.now.instant) { warn(of: news) }
        arm()
    }

    private func load(_ location: NodeID, _ authors: [Identity]) -> StorageOutcome {
        .loaded(memory.records(at: location, by: authors))
    }

    private func apply(_ changes: [RecordChange]) -> StorageOutcome {
        do throws(RecordStoreError) {
            try memory.apply(changes)
            return .applied
        } catch {
            return .full
        }
    }

    /// The disk is done with tickets.
    private func completed(_ outcomes: [(Ticket, StorageOutcome)]) {
        var actions: [EngineAction] = []
        for (ticket, outcome) in outcomes {
            engine.complete(ticket, with: outcome, at: SystemClock.now, into: &actions)
        }
        perform(actions)
    }

    // MARK: What outlives the process

    /// How often it is asked whether the contacts are to be written down.
    private static let reminderPause = TimeAmount.seconds(5)
    private static let firstReminder = TimeAmount.seconds(1)

    /// Writes down good contacts now and then: a node that comes back looks for them.
    func rememberContactsRegularly() {
        guard disk != nil, reminder == nil else { return }
        reminder = eventLoop.scheduleRepeatedTask(
            initialDelay: Self.firstReminder,
            delay: Self.reminderPause
        ) { [weak self] _ in self?.assumeIsolated { $0.rememberContacts() } }
    }

    /// Writes down which of our values are kept alive, if that has changed.
    @discardableResult
    private func rememberKept() -> Bool {
        guard engine.hasKeptChanges else { return false }
        let changes = engine.takeKeptChanges()
        disk?.note(
            changes.mapValues { kept in
                kept.map { RememberedValue(key: $0.key, lifetime: $0.lifetime, revision: $0.revision) }
            }
        )
        return true
    }

    private func rememberContacts(isLast: Bool = false) {
        rememberKept()
        guard let disk else { return }
        disk.lookForRival()
        let now = SystemClock.now
        let good = goodContacts
        lately.note(good, unixMilliseconds: now.unixMilliseconds)
        let contacts = contactMemory.revise(
            good,
            lately: lately.contactsByAge,
            age: now.instant.since(started),
            isLast: isLast
        )
        if let contacts { disk.remember(contacts) }
    }

    /// Sees to it that the one timer fires when the engine next has something to do. A timer that fires too
    /// early costs one look; re-arming it for each request would cost more.
    private func arm() {
        guard !isStopping || !waiting.isEmpty, let deadline = engine.nextDeadline else { return }
        if let armed, armed <= deadline { return }
        timer?.cancel()
        armed = deadline
        timer = eventLoop.scheduleTask(deadline: deadline.deadline) {
            self.assumeIsolated { $0.timerFired() }
        }
    }

    private func timerFired() {
        armed = nil
        timer = nil
        var actions: [EngineAction] = []
        engine.advance(to: SystemClock.now, into: &actions)
        perform(actions)
    }

    // MARK: Seeds

    func setSeeds(_ peers: [PeerAddress]) {
        seeds = peers
        unresolved = []
        var actions: [EngineAction] = []
        engine.setSeeds(peers.map(\.identity), at: SystemClock.now, into: &actions)
        perform(actions)
    }

    private func resolve(_ seed: Int) {
        guard seeds.indices.contains(seed) else { return }
        let peer = seeds[seed]
        if let endpoint = peer.address.numeric {
            resolved(seed, peer, [endpoint])
        } else {
            Task { resolved(seed, peer, await peer.address.resolve()) }
        }
    }

    private func resolved(_ seed: Int, _ peer: PeerAddress, _ endpoints: [Endpoint]) {
        guard !isStopping, seeds.indices.contains(seed), seeds[seed] == peer else { return }
        if endpoints.isEmpty {
            let isFirst = unresolved.insert(peer.address).inserted
            let text: Logger.Message = "the name of a peer does not resolve; it is asked for again"
            logger.log(level: isFirst ? .warning : .debug, text, metadata: ["peer": "\(peer)"])
        } else if unresolved.remove(peer.address) != nil {
            logger.info("the name of a peer resolves now", metadata: ["peer": "\(peer)"])
        }
        // Where no socket reaches nothing need be tried.
        let families = Set(sockets.filter { $0.socket != nil }.map(\.bound.family))
        let within = endpoints.filter { families.contains($0.family) }
        var actions: [EngineAction] = []
        let usable = within.isEmpty ? endpoints : within
        engine.resolved(seed: seed, usable, at: SystemClock.now, into: &actions)
        perform(actions)
    }

    func replaceAdmission(_ policy: AdmissionPolicy, seeds: [PeerAddress]) {
        engine.replaceAdmission(policy)
        lately.forget { !policy.admits($0) }
        setSeeds(seeds)
    }

    /// Hands over, says goodbye and closes; gives up on the first two when `patience` is over.
    func stop(patience: TimeAmount) async {
        guard !isStopping else { return }
        rememberContacts(isLast: true)
        let giveUp = eventLoop.scheduleTask(in: patience) { self.assumeIsolated { $0.abandonAll() } }
        // Whoever stops us may be a task that is cancelled itself.
        _ = await run(.leave, as: newOperation())
        giveUp.cancel()
        await abandon()
    }

    /// Closes everything; whatever is under way ends without an outcome.
    func abandon() async {
        isStopping = true
        timer?.cancel()
        reminder?.cancel()
        healthTask?.cancel()
        tidying?.cancel()
        abandonAll()
        endOfWaiting()
        try? await watch?.close().get()
        for index in sockets.indices {
            try? await sockets[index].socket?.channel.close().get()
            sockets[index].socket = nil
        }
        await disk?.flush()
        disk?.close()
    }

    private func abandonAll() {
        let abandoned = waiting.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value)
        waiting = [:]
        for continuation in abandoned { continuation.resume(returning: nil) }
        for continuation in pulls.values { continuation.resume(returning: .stopped) }
        pulls = [:]
    }
}
