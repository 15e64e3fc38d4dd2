import CoreMetrics
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
    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }

    var engine: Engine
    private(set) var storage: RecordStorage
    let logger: Logger
    let started = SystemClock.now.instant
    var sockets = NodeSockets<DatagramSocket>()
    var network = NetworkState()
    let board: MembershipBoard
    let reception: Reception
    /// The peers that the overlay consists of, and the contacts that outlive the process.
    var keeper: StateKeeper
    var timers = LoopTimers()
    var desk: DatagramDesk
    var users: WaitingUsers
    var metrics: NodeMetrics
    private(set) var isStopping = false

    init(
        engine: consuming Engine,
        storage: RecordStorage,
        board: MembershipBoard,
        invitations: InvitationBook = InvitationBook(),
        keeper: StateKeeper = StateKeeper(),
        operationsInFlight: Int = NodeConfiguration.Limits().operationsInFlight,
        threads: Int = NodeConfiguration.Limits().threads,
        eventLoop: any EventLoop,
        metrics: any MetricsFactory,
        logger: Logger
    ) {
        self.engine = engine
        self.storage = storage
        self.keeper = keeper
        self.board = board
        reception = Reception(invitations, key: board.key.signingKey, at: SystemClock.now)
        self.eventLoop = eventLoop
        self.logger = logger
        users = WaitingUsers(limit: operationsInFlight)
        desk = DatagramDesk(Crew(size: threads))
        self.metrics = NodeMetrics(metrics)
        if self.metrics.isOn { self.engine.observe() }
        storage.report { [weak self] outcomes in
            guard let loop = self else { return }
            loop.eventLoop.execute { loop.assumeIsolated { $0.completed(outcomes) } }
        }
    }

    // MARK: The engine's actions

    func perform(_ turn: inout EngineTurn) {
        let hasRenewedChanges = rememberRenewed()
        users.look(retransmissions: engine.counters.retransmissions, at: turn.now.instant)
        var outgoing: [(datagram: Outgoing, endpoint: Endpoint)] = []
        var index = 0
        while index < turn.actions.count {
            let action = turn.actions[index]
            index += 1
            switch action {
            case .transmit(let datagram, let endpoint): outgoing.append((datagram, endpoint))
            case .load(let ticket, let location, let authors):
                complete(ticket, with: storage.load(ticket, at: location, by: authors), in: &turn)
            case .loadPart(let ticket, let content, let part):
                complete(ticket, with: storage.loadPart(ticket, part, of: content), in: &turn)
            case .survey(let ticket): complete(ticket, with: storage.survey(ticket), in: &turn)
            case .apply(let ticket, let changes):
                complete(ticket, with: storage.apply(ticket, changes), in: &turn)
            case .importPiece(let ticket, let content, let index):
                let outcome = storage.importPiece(ticket, of: content, index: index)
                complete(ticket, with: outcome, in: &turn)
            case .signed(let revisions, let location): storage.record(revisions, at: location)
            case .resolve(let seed): resolve(seed)
            case .retry(let endpoint): sockets.retry(endpoint, at: SystemClock.now.instant)
            case .adopted(let roster): adopted(roster)
            case .conflicting(let conflict): conflicting(conflict)
            case .piece(let operation, let bytes): users.deliver(.piece(bytes), of: operation)
            case .finished(let operation, .fetched(let rest)) where users.isPulling(operation):
                users.deliver(rest == nil ? .unreachable : .end, of: operation)
            case .finished(let operation, let outcome):
                tell(users.take(operation), outcome, isOnceWritten: hasRenewedChanges)
            }
        }
        transmit(outgoing, at: turn.now.instant)
        if engine.core.conduct.hasNews { warn(of: engine.core.takeConductNews()) }
        if engine.gate.knocks.hasNews { warnOfKnocks() }
        if let news = engine.takeRenewalNews(at: SystemClock.now.instant) { warn(of: news) }
        tellMetrics()
        beginWaiting()
        arm()
    }

    /// The storage is done with a ticket already; `nil`: it is not.
    private func complete(_ ticket: Ticket, with outcome: StorageOutcome?, in turn: inout EngineTurn) {
        guard let outcome else { return }
        engine.complete(ticket, with: outcome, in: &turn)
    }

    /// `isOnceWritten`: when all is on disk. A user who is told that a value is kept may kill us the next
    /// moment.
    private func tell(
        _ user: WaitingUser?,
        _ outcome: Outcome,
        isOnceWritten: Bool
    ) {
        guard let user else { return }
        measure(user, .outcome(outcome))
        guard isOnceWritten, storage.isOnDisk else {
            user.end(.outcome(outcome))
            return
        }
        Task { [storage] in
            await storage.flush()
            user.end(.outcome(outcome))
        }
    }

    /// The disk is done with tickets.
    private func completed(_ outcomes: [(Ticket, StorageOutcome)]) {
        var turn = EngineTurn(at: SystemClock.now)
        for (ticket, outcome) in outcomes {
            engine.complete(ticket, with: outcome, in: &turn)
        }
        perform(&turn)
    }

    // MARK: State that outlives the process

    /// How often it is asked whether the contacts are to be written down.
    private static let savePause = TimeAmount.seconds(5)
    private static let firstSave = TimeAmount.seconds(1)

    /// Writes down good contacts now and then: a node that comes back looks for them.
    func rememberContactsRegularly() {
        guard storage.isOnDisk, !timers.isRunning(.savingState) else { return }
        let timer = eventLoop.scheduleRepeatedTask(
            initialDelay: Self.firstSave,
            delay: Self.savePause
        ) { [weak self] _ in self?.assumeIsolated { $0.rememberContacts() } }
        timers.start(.savingState, timer)
    }

    /// Writes down which of our values are kept alive, if that has changed.
    @discardableResult
    private func rememberRenewed() -> Bool {
        guard engine.hasRenewedChanges else { return false }
        storage.record(engine.takeRenewedChanges())
        return true
    }

    private func rememberContacts(isLast: Bool = false) {
        rememberRenewed()
        guard storage.isOnDisk else { return }
        board.shelf.retry()
        storage.lookForRival()
        let now = SystemClock.now
        let contacts = keeper.contactsToWrite(
            goodContacts,
            age: now.instant.since(started),
            isLast: isLast,
            unixMilliseconds: now.unixMilliseconds
        )
        if let contacts { storage.remember(contacts) }
    }

    /// Sees to it that the one timer fires when the engine next has something to do.
    private func arm() {
        guard !isStopping || users.isAnyWaiting, let deadline = engine.nextDeadline,
            !timers.isArmed(for: deadline)
        else { return }
        let timer = eventLoop.scheduleTask(deadline: deadline.deadline) {
            self.assumeIsolated { $0.timerFired() }
        }
        timers.arm(timer, at: deadline)
    }

    private func timerFired() {
        guard !isStopping else { return }
        var turn = EngineTurn(at: SystemClock.now)
        if let pause = timers.grace(at: turn.now.instant, hasUnread: sockets.hasUnread) {
            eventLoop.scheduleTask(in: pause) { self.assumeIsolated { $0.timerFired() } }
            return
        }
        timers.fired()
        engine.advance(in: &turn)
        perform(&turn)
    }

    // MARK: Seeds

    func setSeeds(_ peers: [PeerAddress]) {
        keeper.seeds.replace(peers)
        var turn = EngineTurn(at: SystemClock.now)
        engine.setSeeds(peers.map(\.identity), in: &turn)
        perform(&turn)
    }

    private func resolve(_ seed: Int) {
        guard let peer = keeper.seeds[seed] else { return }
        if let endpoint = peer.address.numeric {
            resolved(seed, peer, [endpoint])
        } else {
            Task { resolved(seed, peer, await peer.address.resolve()) }
        }
    }

    private func resolved(_ seed: Int, _ peer: PeerAddress, _ endpoints: [Endpoint]) {
        guard !isStopping, keeper.seeds[seed] == peer else { return }
        switch keeper.seeds.resolved(peer, isFound: !endpoints.isEmpty) {
        case .unresolved(let isFirst):
            let text: Logger.Message = "the name of a peer does not resolve; it is asked for again"
            logger.log(level: isFirst ? .warning : .debug, text, metadata: ["peer": "\(peer)"])
        case .resolved: logger.info("the name of a peer resolves now", metadata: ["peer": "\(peer)"])
        case nil: break
        }
        // Where no socket reaches nothing need be tried.
        let families = Set(sockets.openEndpoints.map(\.family))
        let within = endpoints.filter { families.contains($0.family) }
        var turn = EngineTurn(at: SystemClock.now)
        let usable = within.isEmpty ? endpoints : within
        engine.resolved(seed: seed, usable, in: &turn)
        perform(&turn)
    }

    /// Hands over, says goodbye and closes; gives up on the first two when `patience` is over.
    func stop(patience: TimeAmount) async {
        guard !isStopping else { return }
        rememberContacts(isLast: true)
        let giveUp = eventLoop.scheduleTask(in: patience) {
            self.assumeIsolated { $0.users.abandonOperations() }
        }
        // Run without looking for cancellation: the task that stops the node may be cancelled itself.
        await leave()
        giveUp.cancel()
        await abandon()
    }

    /// Returns when the node stops, or the task is cancelled.
    func ends() async {
        guard !isStopping else { return }
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        users.waitForEnd(continuation)
        for await _ in stream {}
    }

    /// Closes everything; whatever is under way ends without an outcome.
    func abandon() async {
        isStopping = true
        timers.cancelAll()
        users.abandonOperations()
        users.endWaitForSocket()
        try? await network.watch?.close().get()
        for socket in sockets.removeAll() { try? await socket.channel.close().get() }
        await storage.flush()
        await board.shelf.flush()
        board.end()
        // The last counts: from here on nothing is received and nothing sent.
        sampleMetrics(company)
        storage.close()
    }

    // MARK: The database's file

    /// The size of the database on the disk; `nil` if it cannot be told, or there is no database.
    var databaseSize: DatabaseSize? { get async { await storage.size() } }

    /// Gives back what the database needs no more, as long as the node runs.
    func tidyRegularly() { if storage.isOnDisk { tidy(after: Shrinking.interval) } }

    private func tidy(after pause: Interval) {
        guard !isStopping else { return }
        let timer = eventLoop.scheduleTask(in: .nanoseconds(Int64(pause.nanoseconds))) {
            [weak self, storage] in
            storage.tidy { [weak self] next in
                guard let loop = self else { return }
                loop.eventLoop.execute { loop.assumeIsolated { $0.tidy(after: next) } }
            }
        }
        timers.scheduleTidying(timer)
    }
}
