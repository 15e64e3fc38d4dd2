import ArgumentParser
import CBuild
import DHTConfiguration
import DHTCrypto
import DHTGateway
import Dispatch
import Glibc
import Logging
import SecureDHT

struct RunNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Runs a node in the foreground; prints READY dht://IDENTITY@HOST:PORT when it serves."
    )

    @OptionGroup var options: NodeOptions

    @OptionGroup var globals: GlobalOptions

    /// Events that end or change a running node.
    private enum Event: Sendable {
        case stop
        case reload
    }

    /// Seconds a stop may take; a supervisor waits ten.
    private static let stopDeadline = 9

    /// When the code that only starts nodes is needed no more.
    private static let settling = Duration.seconds(2)

    /// Files and sockets a node may have open at once, besides what its threads need.
    private static let mostFiles = 300
    /// Connections, and a file for the body of each.
    private static let mostFilesOfHTTP = 2 * WebLimits().connections

    func run() async throws {
        let (events, trigger) = AsyncStream.makeStream(of: Event.self)
        Allocator.giveBackLargeBuffers()
        listenToSignals(trigger, whileRunning: nil)
        let settings = try NodeSettings(options, globals)
        var command = self
        command.globals.take(settings)
        try await command.run(settings, events, trigger)
    }

    private func run(
        _ settings: NodeSettings,
        _ events: AsyncStream<Event>,
        _ trigger: AsyncStream<Event>.Continuation
    ) async throws {
        let http = try HTTPSetup(settings, environment: GlobalOptions.environment)
        try Descriptors.require(Self.mostFiles + (http == nil ? 0 : Self.mostFilesOfHTTP))
        let setup = try NodeSetup(settings, environment: GlobalOptions.environment)
        let access = try ControlServer.Access(settings)
        let explicitSocket = globals.candidates.count == 1 ? globals.candidates[0].path : nil
        if let explicitSocket { try ControlSocket.claim(explicitSocket) }
        let runsShell =
            ShellSession.isOnTerminal || settings.isOn(.shell) && !ShellSession.isInBackground
        let log = RecentLog()
        let logger = makeLogger(LogFormat(settings), runsShell: runsShell, remembering: log)
        var configuration = setup.configuration
        configuration.logger = logger
        let metrics = PrometheusRegistry()
        configuration.metrics = metrics
        warn(of: setup, logger)

        if settings.isOn(.shell), !runsShell {
            logger.warning("the node is in the background of its terminal: there is no shell")
        }
        if let home = setup.stateHome { Directories.make(home) }
        let node: DHTNode
        do { node = try await DHTNode.start(configuration) } catch { throw Failure(error) }
        warnIfUnlisted(node, logger)
        listenToSignals(trigger, whileRunning: logger)
        let control = LocalNode(
            node,
            name: configuration.name,
            members: setup.members,
            directory: configuration.storage.directory,
            log: log,
            rereadMembers: { [files = setup.allowFiles, network = configuration.network] () throws(Failure) in
                try NodeSetup.read(files, network)
            },
            onStop: { trigger.yield(.stop) }
        )
        let server: ControlServer?
        do {
            var limits = ControlLimits()
            if let directory = configuration.storage.directory { limits.spoolDirectory = directory }
            server = try await openSocket(explicitSocket, access, control, limits, metrics, logger)
            do { if let http { try await serve(http, control, metrics, limits, logger) } } catch {
                server?.withdraw()
                throw error
            }
        } catch {
            await node.stop()
            throw error
        }
        let announcement = await announceOnceItListens(node, network: configuration.network.fingerprint)
        let shellTask = runsShell ? Task { await runShell(control, configuration.storage, trigger) } : nil
        let settling = Task {
            try await Task.sleep(for: Self.settling)
            dht_program_let_go()
        }
        await live(through: events, node, control, logger)
        settling.cancel()
        shellTask?.cancel()
        announcement?.cancel()
        forceExit(after: Self.stopDeadline, logger)
        await node.stop()
        server?.withdraw()
        logger.info("stopped")
    }

    /// Until somebody wants the node to stop.
    private func live(
        through events: AsyncStream<Event>,
        _ node: DHTNode,
        _ control: LocalNode,
        _ logger: Logger
    ) async {
        let supervisor = Supervisor(environment: GlobalOptions.environment)
        await supervisor?.ready(node)
        let watch = Task { await supervisor?.watch(node) }
        for await event in events {
            if event == .stop { break }
            supervisor?.reloading()
            await reload(control, logger)
            await supervisor?.ready(node)
        }
        watch.cancel()
        supervisor?.stopping()
    }

    private func runShell(
        _ control: LocalNode,
        _ storage: NodeConfiguration.Storage,
        _ trigger: AsyncStream<Event>.Continuation
    ) async {
        let historyFile = HistoryFile(
            keepsValues: storage.directory != nil,
            environment: GlobalOptions.environment
        )
        await ShellSession(control, historyFile: historyFile).run()
        trigger.yield(.stop)
    }

    /// Before anything else is printed, unless all addresses to listen on are still to come.
    private func announceOnceItListens(_ node: DHTNode, network: String) async -> Task<Void, Never>? {
        guard await !node.isListening else {
            announce(node, network: network)
            return nil
        }
        return Task {
            if await node.listens() { announce(node, network: network) }
        }
    }

    private func announce(_ node: DHTNode, network: String) {
        func uri(_ endpoint: Endpoint) -> String {
            PeerAddress(identity: node.identity, address: HostPort(host: endpoint.host, port: endpoint.port))
                .description
        }
        for endpoint in node.addresses.dropFirst() where !globals.quiet {
            Output.talk("also at \(uri(endpoint))")
        }
        if !globals.quiet { Output.talk("network \(network)") }
        Output.line("READY \(uri(node.reachableAddress))")
    }

    /// The socket that was asked for, or the first of the usual places that can be had; a node can do without
    /// those.
    private func openSocket(
        _ explicit: String?,
        _ access: ControlServer.Access,
        _ control: LocalNode,
        _ limits: ControlLimits,
        _ metrics: PrometheusRegistry,
        _ logger: Logger
    ) async throws(Failure) -> ControlServer? {
        if let explicit {
            return try await ControlServer.start(
                at: explicit,
                access: access,
                node: control,
                limits: limits,
                metrics: { metrics.text() },
                logger: logger
            )
        }
        var reasons: [String] = []
        for path in globals.candidates.compactMap(\.path) {
            do throws(Failure) {
                return try await ControlServer.start(
                    at: path,
                    access: access,
                    node: control,
                    limits: limits,
                    metrics: { metrics.text() },
                    logger: logger
                )
            } catch {
                reasons.append(error.message)
                if ControlSocket.occupant(of: path) == .node { break }
            }
        }
        logger.warning(
            "no control socket: dht put, get and status cannot reach this node; choose a place with --socket",
            metadata: ["reasons": "\(reasons.joined(separator: "; "))"]
        )
        return nil
    }

    private func serve(
        _ http: HTTPSetup,
        _ control: LocalNode,
        _ metrics: PrometheusRegistry,
        _ values: ControlLimits,
        _ logger: Logger
    ) async throws(Failure) {
        var limits = WebLimits()
        limits.values = values
        var pages = WebPages()
        pages.metrics = { metrics.text() }
        pages.state = { ReplyCoding.encode(await control.dashboard()) }
        let web = try await WebServer.start(
            at: http.address,
            names: http.names,
            token: http.token,
            pages: pages,
            node: control,
            limits: limits,
            logger: logger
        )
        // Port 0 is told even so: else nobody knew it.
        if !globals.quiet || http.address.port == 0 { Output.talk("http at \(web.url)") }
    }

    private func reload(_ control: LocalNode, _ logger: Logger) async {
        do throws(Failure) {
            let reply = try await control.reload(force: false)
            logger.notice(
                "allowlists read again",
                metadata: [
                    "members": "\(reply.members.map { "\($0)" } ?? "open")",
                    "added": "\(reply.added.joined(separator: " "))",
                    "removed": "\(reply.removed.joined(separator: " "))",
                    "digest": "\(reply.digest ?? "none")",
                ]
            )
            if reply.isListed == false {
                logger.warning("this node is not on its own list: peers with the same list turn it away")
            }
        } catch {
            logger.error("reload failed, nothing was changed", metadata: ["reason": "\(error.message)"])
        }
    }

    /// SIGTERM and SIGINT stop in good order, a second SIGINT at once; SIGHUP reloads. As long as there is
    /// nothing to hand over, SIGTERM and SIGINT end at once, whatever is waited for; SIGHUP waits.
    private func listenToSignals(
        _ trigger: AsyncStream<Event>.Continuation,
        whileRunning logger: Logger?
    ) {
        Signals.on(SIGHUP) { trigger.yield(.reload) }
        guard let logger else {
            Signals.exits(on: SIGTERM, with: 0)
            Signals.exitOnInterrupt()
            return
        }
        // The node may still be opening its HTTP port.
        let stop = { @Sendable in
            forceExit(after: Self.stopDeadline, logger)
            trigger.yield(.stop)
        }
        Signals.on(SIGTERM) { stop() }
        Signals.on(SIGINT) {
            Signals.exitOnInterrupt()
            stop()
        }
    }

    private func forceExit(after seconds: Int, _ logger: Logger) {
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(seconds)) {
            logger.warning("the stop took too long; records may not all have been handed over")
            ProcessExit.exit(0)
        }
    }

    /// By lists and roster, of which the node may have a newer one than its files.
    private func warnIfUnlisted(_ node: DHTNode, _ logger: Logger) {
        guard let list = node.admission.list, !list.holds(node.identity) else { return }
        logger.warning("this node is not on its own list: peers with the same list turn it away")
    }

    private func warn(of setup: NodeSetup, _ logger: Logger) {
        if !Sodium.locksMemory {
            logger.warning(
                "secrets are not locked in memory and may be swapped to a disk: ulimit -l 64, LimitMEMLOCK="
            )
        }
        if setup.members == nil {
            // Critical, so that --quiet does not hide it.
            logger.critical(
                "OPEN: every holder of the network key is admitted and nobody can be expelled (--open)"
            )
        }
        switch setup.configuration.storage {
        case .memory: logger.warning("records are in memory: they end with this process (--ephemeral)")
        case .directory(let directory, _):
            logger.info("records are on disk", metadata: ["directory": "\(directory)"])
        }
        if setup.configuration.network.isWellKnown {
            logger.warning(
                "the well-known network key is used: it hides from nobody who talks to whom; see --network"
            )
        }
    }

    private func makeLogger(_ format: LogFormat?, runsShell: Bool, remembering log: RecentLog) -> Logger {
        LoggingSystem.bootstrap { label in
            let output = LogOutput.handler(format, label: label, environment: GlobalOptions.environment)
            return RememberingLogHandler(output, in: log)
        }
        var logger = Logger(label: "dht")
        logger.logLevel = globals.quiet ? .error : globals.verbose ? .debug : runsShell ? .warning : .info
        return logger
    }
}

extension NodeConfiguration.Storage {
    /// Where the records are; `nil` if they are in memory.
    fileprivate var directory: String? {
        if case .directory(let directory, _) = self { directory } else { nil }
    }
}
