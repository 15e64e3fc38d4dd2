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
    }

    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }

    private(set) var engine: Engine
    /// `nil`: records are in memory.
    let disk: DiskKeeper?
    private var memory = MemoryRecordStore()
    let logger: Logger
    let started = SystemClock.now.instant
    private(set) var sockets: [Socket] = []
    private var seeds: [PeerAddress] = []
    private var isStopping = false

    private var contactMemory: ContactMemory
    private var reminder: RepeatedTask?
    /// What the engine counted when kept values were last written down.
    private var keptChanges: UInt64 = 0
    private var timer: Scheduled<Void>?
    private var armed: Instant?
    private var waiting: [OperationID: CheckedContinuation<Outcome?, Never>] = [:]
    private var nextOperation: UInt64 = 0
    private var addresses = AddressCache()
    var refusals = SendRefusals()
    /// On which socket each peer was last heard; kept only where there is a choice.
    private var heardOn: [Endpoint: Int] = [:]
    private(set) var unroutable: UInt64 = 0

    init(
        engine: consuming Engine,
        disk: DiskKeeper?,
        contactMemory: ContactMemory = ContactMemory(),
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.engine = engine
        self.disk = disk
        self.contactMemory = contactMemory
        self.eventLoop = eventLoop
        self.logger = logger
        disk?.report { [weak self] outcomes in
            guard let loop = self else { return }
            loop.eventLoop.execute { loop.assumeIsolated { $0.completed(outcomes) } }
        }
    }

    // MARK: Sockets

    /// Binds a socket; its port is real when this returns.
    func listen(on configured: HostPort, _ address: SocketAddress) async throws -> Endpoint {
        let index = sockets.count
        let socket = try await DatagramSocket.bind(address, loop: self, index: index)
        guard let local = socket.channel.localAddress, let bound = Endpoint(local) else {
            throw DHTError(.internal, "\(configured): the socket has no address")
        }
        sockets.append(Socket(configured: configured, bound: bound, socket: socket))
        engine.core.endpoints = sockets.map(\.bound).filter { !$0.isUnspecified }
        return bound
    }

    func received(_ datagram: [UInt8], from endpoint: Endpoint, on socket: Int) {
        refusals.heard(from: endpoint)
        var actions: [EngineAction] = []
        switch engine.receive(datagram, from: endpoint, at: SystemClock.now, into: &actions) {
        case .dropped(let reason):
            logger.debug("datagram dropped", metadata: ["reason": "\(reason)", "from": "\(endpoint)"])
        case .accepted:
            guard sockets.count > 1 else { break }
            if heardOn.count >= AddressCache.capacity { heardOn = [:] }
            heardOn[endpoint] = socket
        }
        perform(actions)
    }

    func socketFailed(_ error: any Error) {
        logger.debug("socket error", metadata: ["error": "\(error)"])
    }

    /// A socket that closes without being told to is bound again, to the port it had.
    func closed(_ index: Int) {
        guard !isStopping, sockets.indices.contains(index) else { return }
        sockets[index].socket = nil
        sockets[index].rebindAttempts += 1
        let attempts = sockets[index].rebindAttempts
        let pause = attempts == 1 ? TimeAmount.zero : .milliseconds(25 << Int64(min(attempts, 7)))
        logger.warning("socket closed; it is bound again", metadata: ["address": "\(sockets[index].bound)"])
        eventLoop.scheduleTask(in: pause) { self.assumeIsolated { $0.rebind(index) } }
    }

    private func rebind(_ index: Int) {
        guard !isStopping, sockets[index].socket == nil, let address = sockets[index].bound.socketAddress
        else {
            return
        }
        Task {
            do {
                sockets[index].socket = try await DatagramSocket.bind(address, loop: self, index: index)
                sockets[index].rebindAttempts = 0
            } catch {
                closed(index)
            }
        }
    }

    func transmit(_ datagram: [UInt8], to endpoint: Endpoint) {
        guard let sender = sender(for: endpoint), let address = addresses.socketAddress(of: endpoint) else {
            unroutable += 1
            return
        }
        let now = SystemClock.now.instant
        guard !refusals.avoids(endpoint, at: now) else { return refusals.omitted() }
        guard let error = sender.send(datagram, to: address) else { return }
        // Lost, as on a wire.
        let isFirst = refusals.refused(endpoint, error, at: now)
        let metadata: Logger.Metadata = ["error": "\(SendRefusals.name(of: error))", "to": "\(endpoint)"]
        logger.log(level: isFirst ? .warning : .debug, "datagram not sent", metadata: metadata)
    }

    /// The socket to reach an endpoint by: the one it was heard on, else the first of its family that is not
    /// confined to this machine when the endpoint is elsewhere.
    private func sender(for endpoint: Endpoint) -> DatagramSender? {
        if sockets.count > 1, let index = heardOn[endpoint], let socket = sockets[index].socket {
            return socket.sender
        }
        for socket in sockets where socket.bound.family == endpoint.family {
            if socket.bound.isLoopback && !endpoint.isLoopback { continue }
            if let open = socket.socket { return open.sender }
        }
        return nil
    }

    // MARK: The engine's wishes

    private func perform(_ first: [EngineAction]) {
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
            case .finished(let operation, let outcome):
                rememberKept()
                waiting.removeValue(forKey: operation)?.resume(returning: outcome)
            }
        }
        if engine.core.conduct.hasNews { warn(of: engine.core.takeConductNews()) }
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
    private func rememberKept() {
        guard let disk, engine.keptChanges != keptChanges else { return }
        keptChanges = engine.keptChanges
        let kept = engine.keptKeys
        disk.remember(
            kept.map { RememberedValue(key: $0.key, lifetime: $0.lifetime, revision: $0.revision) }
        )
    }

    private func rememberContacts(isLast: Bool = false) {
        rememberKept()
        guard let disk else { return }
        disk.lookForRival()
        let now = SystemClock.now
        let good = engine.core.table.contacts.filter { $0.reachability.grade == .good }.map { entry in
            RememberedContact(
                identity: entry.contact.identity,
                endpoint: entry.contact.endpoint,
                answered: now.unixMilliseconds - now.instant.since(entry.lastAnswered).milliseconds
            )
        }
        let age = now.instant.since(started)
        if let contacts = contactMemory.revise(good, age: age, isLast: isLast) { disk.remember(contacts) }
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
        if endpoints.isEmpty {
            logger.warning("the name of a peer does not resolve", metadata: ["peer": "\(peer)"])
        }
        guard seeds.indices.contains(seed), seeds[seed] == peer else { return }
        var actions: [EngineAction] = []
        engine.resolved(seed: seed, endpoints, at: SystemClock.now, into: &actions)
        perform(actions)
    }

    // MARK: What users ask

    /// Runs an operation to its end; `nil` if the node stopped before, or the task was cancelled, with which
    /// the operation ends as well.
    func run(_ operation: DHTEngine.Operation) async -> Outcome? {
        nextOperation += 1
        let id = OperationID(rawValue: nextOperation)
        return await withTaskCancellationHandler {
            Task.isCancelled ? nil : await run(operation, as: id)
        } onCancel: {
            eventLoop.execute { self.assumeIsolated { $0.cancel(id) } }
        }
    }

    private func run(_ operation: DHTEngine.Operation, as id: OperationID) async -> Outcome? {
        guard !isStopping else { return nil }
        return await withCheckedContinuation { continuation in
            waiting[id] = continuation
            var actions: [EngineAction] = []
            engine.submit(operation, as: id, at: SystemClock.now, into: &actions)
            perform(actions)
        }
    }

    private func cancel(_ id: OperationID) {
        guard let continuation = waiting.removeValue(forKey: id) else { return }
        continuation.resume(returning: nil)
        var actions: [EngineAction] = []
        engine.cancel(id, at: SystemClock.now, into: &actions)
        perform(actions)
    }

    func replaceAdmission(_ policy: AdmissionPolicy, seeds: [PeerAddress]) {
        engine.replaceAdmission(policy)
        setSeeds(seeds)
    }

    /// Hands over, says goodbye and closes; gives up on the first two when `patience` is over.
    func stop(patience: TimeAmount) async {
        guard !isStopping else { return }
        rememberContacts(isLast: true)
        let giveUp = eventLoop.scheduleTask(in: patience) { self.assumeIsolated { $0.abandonAll() } }
        // Whoever stops us may be a task that is cancelled itself.
        nextOperation += 1
        _ = await run(.leave, as: OperationID(rawValue: nextOperation))
        giveUp.cancel()
        await abandon()
    }

    /// Closes everything; whatever is under way ends without an outcome.
    func abandon() async {
        isStopping = true
        timer?.cancel()
        reminder?.cancel()
        abandonAll()
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
    }
}
