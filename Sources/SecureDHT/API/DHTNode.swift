import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import Logging
import NIOCore
import Synchronization

/// A running node of the overlay.
///
///     let setup = NodeConfiguration(key: key, network: network, admission: .members(list))
///     let node = try await DHTNode.start(setup)
///     try await node.put("world", for: "hello")
///     let found = try await node.get("hello")?.text
///     await node.stop()
///
/// Safe to use from anywhere. It serves its peers until ``stop()``, for as long as somebody holds it. Calls
/// that talk to peers throw ``DHTError``, and `CancellationError` at once if their task is cancelled.
public final class DHTNode: Sendable {
    /// Of this library and the program that comes with it.
    public static let version = "0.1.0"
    /// Bytes.
    public static let maximumValueLength = ContentLayout.lengths.upperBound
    /// How long a stopping node hands over and says goodbye.
    private static let farewellPatience = TimeAmount.seconds(6)

    /// The public key of the node, and of all it writes.
    public let identity: Identity
    /// Where it listens: the addresses of the configuration in their order, with real ports.
    public let addresses: [Endpoint]
    /// Where others reach it: the first of ``addresses``, and an address of this machine if that one is a
    /// wildcard.
    public let reachableAddress: Endpoint

    /// The network key's fingerprint.
    let network: String
    let name: String?
    private let logger: Logger
    let loop: NodeLoop
    let board: MembershipBoard
    private let hasEnded = Mutex(false)

    private init(
        configuration: NodeConfiguration,
        addresses: [Endpoint],
        reachable: Endpoint,
        loop: NodeLoop
    ) {
        identity = configuration.key.identity
        name = configuration.name
        network = configuration.network.fingerprint
        logger = loop.logger
        board = loop.board
        self.addresses = addresses
        reachableAddress = reachable
        self.loop = loop
    }

    deinit {
        guard !hasEnded.withLock({ $0 }) else { return }
        logger.error(
            "a node was let go of without stop(): it is closed, as a crash would, and says no goodbye"
        )
        let loop = loop
        Task { await loop.abandon() }
    }

    // MARK: Life

    /// Starts a node; it serves when this returns.
    ///
    /// An address that is none of this machine yet, with a port that is not 0, is waited for: see
    /// ``listens()``.
    ///
    /// - Throws: ``DHTError``: `configuration` if an address cannot be bound or the directory is not ours to
    ///   use, `integrity` if what is in it is damaged, `unreachable` if no name of a peer can ever resolve,
    ///   `invalidArgument` if a setting is out of its range, `denied` if a permission is missing.
    public static func start(_ configuration: NodeConfiguration) async throws(DHTError) -> DHTNode {
        Sodium.initialize()
        guard !configuration.listen.isEmpty else {
            throw DHTError(.configuration, "there is no address to listen on")
        }
        try NodeConfiguration.check(paths: configuration.paths)
        try configuration.checkPeers()
        let loop = try await NodeBuilder(configuration).makeLoop()
        var bound: [Endpoint] = []
        do {
            for address in configuration.listen { bound += try await bind(address, loop) }
        } catch {
            await loop.stop(patience: .zero)
            throw error
        }
        let first = bound[0]
        let reachable =
            first.isUnspecified
            ? addressOfThisMachine(family: first.family, port: first.port) ?? first : first
        let node = DHTNode(configuration: configuration, addresses: bound, reachable: reachable, loop: loop)
        await loop.setSeeds(node.board.seeds)
        await loop.rememberContactsRegularly()
        await loop.tidyRegularly()
        await loop.watchNetwork()
        await loop.watchHealth()
        let listens = await loop.isListening
        let text: Logger.Message = listens ? "node serves" : "node waits for an address"
        node.logger.info(text, metadata: ["address": "\(reachable)"])
        return node
    }

    /// Hands the records kept here to the closest others, says goodbye, closes. At once if called again.
    ///
    /// Calls that are under way end with a ``DHTError`` whose code is `stopped`. Also in a cancelled task.
    public func stop() async {
        await loop.stop(patience: Self.farewellPatience)
        end("node stopped")
    }

    /// Closes its sockets without a word and without handing anything over, as a crash would: for tests of
    /// what its peers do then.
    public func abandon() async {
        await loop.abandon()
        end("node abandoned")
    }

    private func end(_ text: Logger.Message) {
        let isFirst = hasEnded.withLock { hasEnded in
            defer { hasEnded = true }
            return !hasEnded
        }
        if isFirst { logger.info(text) }
    }

    /// Replaces the operator's own lists, from the next datagram on; a roster goes on counting beside them.
    /// Peers that are admitted no more are forgotten.
    public func replaceAdmission(_ admission: Admission) async {
        await loop.replaceAdmission(admission)
        logger.info("admission replaced")
    }

    // MARK: Operations

    /// The instant until which a call may take; `nil`: as long as it needs.
    func deadline(after timeout: Duration?) -> Instant? {
        timeout.map { SystemClock.now.instant.advanced(by: $0) }
    }

    /// The outcome of an operation. Throws ``DHTError`` if the time is over or the node stopped, and
    /// `CancellationError` if the task was cancelled: nothing is left of the operation then.
    func perform(
        _ operation: DHTEngine.Operation,
        turn: OperationID? = nil,
        until deadline: Instant?
    ) async throws -> Outcome {
        switch await loop.run(operation, turn: turn, until: deadline) {
        case .outcome(let outcome): return outcome
        case .cancelled: throw CancellationError()
        case .timedOut: throw DHTError(.timedOut, "the time for this call is over")
        case .stopped: throw DHTError(.stopped, "the node has stopped")
        }
    }

    /// The engine answered an operation with the outcome of another.
    var unexpected: DHTError { DHTError(.internal, "the node answered something else than was asked") }
}
