import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage
import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A running node of the overlay.
///
///     let setup = NodeConfiguration(key: key, network: network, admission: .members(list))
///     let node = try await DHTNode.start(setup)
///     try await node.put("hello", "world")
///     let found = try await node.get("hello")
///     await node.stop()
///
/// Safe to use from anywhere. It serves its peers until ``stop()``.
public final class DHTNode: Sendable {
    /// Of this library and the program that comes with it.
    public static let version = "0.1.0"
    /// Bytes.
    public static let maximumValueLength = ContentLayout.lengths.upperBound
    /// How long a stopping node hands over and says goodbye.
    private static let farewellPatience = TimeAmount.seconds(6)

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
    /// Peers of the configuration, beside those the allowlist has addresses of.
    private let configuredPeers: [PeerAddress]
    let admission: Mutex<Admission>

    private init(
        configuration: NodeConfiguration,
        addresses: [Endpoint],
        reachable: Endpoint,
        loop: NodeLoop
    ) {
        identity = configuration.key.identity
        name = configuration.name
        network = configuration.network.fingerprint
        logger = configuration.logger
        configuredPeers = configuration.peers
        admission = Mutex(configuration.admission)
        self.addresses = addresses
        reachableAddress = reachable
        self.loop = loop
    }

    // MARK: Life

    /// Starts a node; it serves when this returns.
    ///
    /// An address that is none of this machine yet, with a port that is not 0, is waited for: see
    /// ``listens()``.
    ///
    /// - Throws: ``DHTError``: `configuration` if an address cannot be bound or the directory is not ours to
    ///   use, `integrity` if what is in it is damaged, `unreachable` if no name of a peer can ever resolve,
    ///   `invalidArgument` if a setting is out of its range.
    public static func start(_ configuration: NodeConfiguration) async throws -> DHTNode {
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
        await loop.setSeeds(node.seeds(of: configuration.admission))
        await loop.rememberContactsRegularly()
        await loop.tidyRegularly()
        await loop.watchNetwork()
        await loop.watchHealth()
        let metadata: Logger.Metadata = ["identity": "\(node.identity.text)", "address": "\(reachable)"]
        let listens = await loop.isListening
        node.logger.info(listens ? "node serves" : "node waits for an address", metadata: metadata)
        return node
    }

    /// Hands the records kept here to the closest others, says goodbye, closes. At once if called again.
    public func stop() async {
        await loop.stop(patience: Self.farewellPatience)
        logger.info("node stopped")
    }

    /// Closes its sockets without a word and without handing anything over, as a crash would: for tests of
    /// what its peers do then.
    public func abandon() async {
        await loop.abandon()
        logger.info("node abandoned")
    }

    /// Replaces the admission, from the next datagram on. Peers that are admitted no more are forgotten.
    public func replaceAdmission(_ admission: Admission) async {
        self.admission.withLock { $0 = admission }
        await loop.replaceAdmission(admission.policy(for: identity), seeds: seeds(of: admission))
        logger.info("admission replaced")
    }

    /// The seeds: admitted peers of the configuration, and addresses in the allowlist; never this node.
    private func seeds(of admission: Admission) -> [PeerAddress] {
        var seeds = configuredPeers
        if case .members(let list) = admission {
            seeds = seeds.filter { list.member($0.identity) != nil }
            for member in list.members {
                for address in member.addresses.compactMap({ HostPort($0) }) {
                    seeds.append(PeerAddress(identity: member.identity, address: address))
                }
            }
        }
        return seeds.filter { $0.identity != identity }
    }

    // MARK: Values

    /// Signs a value and stores it at the closest nodes.
    ///
    /// - Parameters:
    ///   - key: 1…128 bytes.
    ///   - value: 0…16,777,216 bytes. One of more than 640 is brought to the replicas in pieces: see
    ///     ``transfers()``.
    /// - Throws: ``DHTError``.
    @discardableResult
    public func put(_ key: [UInt8], _ value: [UInt8], options: PutOptions = PutOptions()) async throws
        -> PutReceipt
    {
        try check(key: key)
        guard value.count <= Self.maximumValueLength else {
            throw DHTError(
                .invalidArgument,
                "value is \(describe(byteCount: value.count)), the limit is \(Self.maximumValueLength) bytes"
            )
        }
        guard RecordLayout.lifetimes.contains(options.lifetime) else {
            throw DHTError(.invalidArgument, "a lifetime is 1 second to 365 days, not \(options.lifetime) s")
        }
        if let copies = options.minimumCopies, !(1...Kademlia.replicas).contains(copies) {
            throw DHTError(.invalidArgument, "minimum copies are 1 to \(Kademlia.replicas), not \(copies)")
        }
        if options.isKept, options.lifetime < KeptValue.leastLifetime {
            throw unkeepable(.lifetime(atLeast: KeptValue.leastLifetime))
        }
        try checkMayWrite()
        // Its digests take a while, in which others may write.
        let isLong = value.count > RecordLayout.maximumValueLength
        let own = options.turn == nil && isLong ? await takeTurn(of: key) : nil
        defer { if let own { giveUp(own) } }
        let put = options.operation(key, value)
        guard UInt64(put.lifetime) >= put.leastLifetime else { throw tooBrief(put, byteCount: value.count) }
        switch await loop.run(.put(put), turn: (options.turn ?? own)?.id) {
        case .put(let record, let outcome)?:
            return try await receipt(record, outcome, options, hiddenBy: await hider(in: outcome))
        case .conflict(let standing)?: throw conflict(with: standing)
        case .unstorable(let refusal)?: throw unstorable(refusal)
        case .unkeepable(let refusal)?: throw unkeepable(refusal)
        default: throw stopped
        }
    }

    /// The turn of a put whose value has still to come, as ``PutOptions/turn``: what is written under the key
    /// later stands in the end. To be given up when no put came of it.
    package func takeTurn(of key: [UInt8]) async -> WriteTurn {
        WriteTurn(id: await loop.reserveWrite(of: key))
    }

    /// Writes that have their turn and are not over.
    package var openWrites: Int { get async { await loop.openWrites } }

    /// Ends a turn that no put came of. A put that is under way with that turn goes on.
    package func giveUp(_ turn: WriteTurn) { loop.giveUp(turn.id) }

    /// Stores text under text, both as UTF-8.
    @discardableResult
    public func put(_ key: String, _ value: String, options: PutOptions = PutOptions()) async throws
        -> PutReceipt
    {
        try await put(Array(key.utf8), Array(value.utf8), options: options)
    }

    /// Reads what is stored under a key. Nothing found is no error: ``GetResult/values`` is empty then.
    public func get(_ key: [UInt8], options: GetOptions = GetOptions()) async throws -> GetResult {
        try await get(key, options: options, isExhaustive: false)
    }

    /// Reads the newest value as text; `nil` if there is none, or it is no UTF-8.
    public func get(_ key: String, options: GetOptions = GetOptions()) async throws -> String? {
        try await get(Array(key.utf8), options: options).values.first.flatMap {
            String(validating: $0.value, as: UTF8.self)
        }
    }

    /// Reads every author's value under a key.
    public func getAll(_ key: [UInt8], options: GetOptions = GetOptions()) async throws -> GetResult {
        try await get(key, options: options, isExhaustive: true)
    }

    /// The outcome of a read; and the company of this node if no other node answered, else `nil`. Throws if
    /// nothing was found and that proves nothing.
    func find(
        _ key: [UInt8],
        options: GetOptions,
        isExhaustive: Bool
    ) async throws -> (outcome: GetOutcome, company: Company?) {
        try check(key: key)
        try options.check()
        let operation = DHTEngine.Operation.get(
            key: key,
            author: options.author,
            replicas: options.replicas,
            isExhaustive: isExhaustive,
            paths: options.paths
        )
        guard case .got(let outcome)? = await loop.run(operation) else { throw stopped }
        let company = await company(missedBy: outcome)
        if outcome.found.isEmpty, let error = blindness(of: outcome, among: company) { throw error }
        return (outcome, company)
    }

    private func get(_ key: [UInt8], options: GetOptions, isExhaustive: Bool) async throws -> GetResult {
        let first = try await find(key, options: options, isExhaustive: isExhaustive)
        do { return try await result(key, first.outcome, first.company) } catch let error as DHTError {
            // The record found may have been replaced meanwhile, and its content removed everywhere.
            guard error.code == .unreachable else { throw error }
            let next = try await find(key, options: options, isExhaustive: isExhaustive)
            let records = [first, next].map { $0.outcome.found.map(\.record.digest) }
            guard records[0] != records[1] else { throw error }
            return try await result(key, next.outcome, next.company)
        }
    }

    private func result(_ key: [UInt8], _ outcome: GetOutcome, _ company: Company?) async throws -> GetResult
    {
        var values: [StoredValue] = []
        for found in outcome.found where !found.record.isTombstone && Array(found.record.key) == key {
            values.append(StoredValue(found, try await value(of: found.record, from: outcome.contacts)))
        }
        return GetResult(
            values: values,
            answered: outcome.answered,
            asked: outcome.asked,
            isIsolated: company?.isIsolated ?? false,
            secondsAhead: outcome.secondsAhead
        )
    }

    /// The value of a record: its own, or the content it refers to, which is fetched from `contacts`.
    private func value(of record: Record, from contacts: [Contact]) async throws -> [UInt8] {
        guard let reference = record.reference else { return Array(record.value) }
        guard case .fetched(let bytes)? = await loop.run(.fetch(record, from: contacts)) else {
            throw stopped
        }
        guard let bytes else {
            throw DHTError(
                .unreachable,
                "the value has \(describe(byteCount: Int(reference.length))), and nobody who has them "
                    + "answers. Try again: what came is kept"
            )
        }
        return bytes
    }

    /// Long values that are on their way right now, for whoever waits for them.
    public func transfers() async -> [Transfer] {
        await loop.transfers.map {
            Transfer(
                key: $0.key,
                direction: $0.isUpload ? .sending : .receiving,
                done: $0.done,
                total: $0.total
            )
        }
    }

    /// Deletes our own value by a tombstone. `nil`: there was none of ours.
    @discardableResult
    public func delete(_ key: [UInt8]) async throws -> PutReceipt? {
        try check(key: key)
        try checkMayWrite()
        switch await loop.run(.delete(key: key)) {
        case .put(let record, let outcome)?:
            return try await receipt(record, outcome, PutOptions(), hiddenBy: nil)
        case .nothingToDelete(let outcome)?:
            let company = await company(missedBy: outcome)
            if let error = blindness(of: outcome, among: company) { throw error }
            return nil
        default: throw stopped
        }
    }

    /// Deletes our own value under text.
    @discardableResult
    public func delete(_ key: String) async throws -> PutReceipt? { try await delete(Array(key.utf8)) }

    /// Refuses writes of this node if its own allowlist has it with `write=no`: its records count nowhere.
    private func checkMayWrite() throws(DHTError) {
        guard case .members(let list) = admission.withLock({ $0 }), list.member(identity)?.mayWrite == false
        else { return }
        throw DHTError(.denied, "this node may only read: its own allowlist has it with write=no")
    }

    /// Our own values that this node keeps alive, or kept until something came between, by key.
    public func keptValues() async -> [KeptValue] {
        await loop.renewalStates.map(KeptValue.init).sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }
}
