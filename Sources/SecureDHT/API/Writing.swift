import DHTCore
import DHTEngine
import DHTEnvelope
import FoundationEssentials

// The calls of users who write.

extension DHTNode {
    /// Signs a value and stores it at the closest nodes.
    ///
    /// - Parameters:
    ///   - value: 0…16,777,216 bytes. One of more than 640 is brought to the replicas in pieces: see
    ///     ``transfers()``.
    ///   - key: 1…128 bytes.
    ///   - options: Lifetime, condition, copies, how long at most.
    /// - Returns: The nodes that took it, as many as `options` ask for; and in ``PutReceipt/hiddenBy`` the
    ///   author of a newer value under the key, because of which readers do not see this one.
    /// - Throws: ``DHTError``: `conflict` if the condition does not hold, with what stands there; `partial`
    ///   if fewer took it than were wanted, with the receipt; `denied`, `unreachable`, `invalidArgument`,
    ///   `timedOut`, `stopped`. `CancellationError` if the task is cancelled; the value may have landed.
    @discardableResult
    public func put(
        _ value: some Collection<UInt8> & Sendable,
        for key: some Collection<UInt8> & Sendable,
        options: PutOptions = PutOptions()
    ) async throws -> PutReceipt {
        try await write(Array(value), Array(key), options)
    }

    /// Stores bytes under text, as UTF-8: see
    /// ``put(_:for:options:)-(_,Collection<UInt8>Sendable,_)``.
    @discardableResult
    public func put(
        _ value: some Collection<UInt8> & Sendable,
        for key: String,
        options: PutOptions = PutOptions()
    ) async throws -> PutReceipt {
        try await write(Array(value), Array(key.utf8), options)
    }

    /// Stores text under text, both as UTF-8.
    @discardableResult
    public func put(_ value: String, for key: String, options: PutOptions = PutOptions()) async throws
        -> PutReceipt
    {
        try await write(Array(value.utf8), Array(key.utf8), options)
    }

    /// Stores a value as JSON. Throws what the encoder throws as well.
    @discardableResult
    public func put(
        encoding value: some Encodable,
        for key: String,
        by encoder: JSONEncoder = JSONEncoder(),
        options: PutOptions = PutOptions()
    ) async throws -> PutReceipt {
        try await write(Array(try encoder.encode(value)), Array(key.utf8), options)
    }

    /// As ``put(_:for:options:)-(_,Collection<UInt8>Sendable,_)``, of a value that is read piece by piece: no
    /// more of a long one than is on its way to the store is in memory.
    package func put(_ value: any ContentBytes, at key: [UInt8], options: PutOptions) async throws
        -> PutReceipt
    {
        try await write(value, key, options)
    }

    /// Deletes our own value by a tombstone; those of other authors stay, and the newest of them is read.
    ///
    /// - Parameters:
    ///   - key: 1…128 bytes.
    ///   - timeout: As ``PutOptions/timeout``.
    /// - Returns: The nodes that took the tombstone; `nil`: there was no value of ours.
    /// - Throws: ``DHTError``: `partial` if too few took it, with the receipt; `denied`, `unreachable`,
    ///   `invalidArgument`, `timedOut`, `stopped`. `CancellationError` if the task is cancelled; the
    ///   tombstone may have landed.
    @discardableResult
    public func delete(_ key: some Collection<UInt8> & Sendable, timeout: Duration? = nil) async throws
        -> PutReceipt?
    {
        let key = Array(key)
        try check(key: key)
        try checkMayWrite()
        switch try await perform(.delete(key: key), until: deadline(after: timeout)) {
        case .put(let record, let outcome):
            return try await receipt(record, outcome, PutOptions(), hiddenBy: nil)
        case .nothingToDelete(let outcome):
            let company = await company(missedBy: outcome)
            if let error = blindness(of: outcome, among: company) { throw error }
            return nil
        default: throw unexpected
        }
    }

    /// Deletes our own value under text.
    @discardableResult
    public func delete(_ key: String, timeout: Duration? = nil) async throws -> PutReceipt? {
        try await delete(Array(key.utf8), timeout: timeout)
    }

    /// Our own values that this node keeps alive, or kept until something came between, by key.
    public func keptValues() async -> [KeptValue] {
        await loop.renewalStates.map(KeptValue.init).sorted { $0.key.lexicographicallyPrecedes($1.key) }
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

    // MARK: The turn of a write

    /// The turn of a put whose value has still to come, as ``PutOptions/turn``: what is written under the key
    /// later stands in the end. To be given up when no put came of it.
    package func takeTurn(of key: [UInt8]) async -> WriteTurn {
        WriteTurn(id: await loop.reserveWrite(of: key))
    }

    /// Writes that have their turn and are not over.
    package var openWrites: Int { get async { await loop.openWrites } }

    /// Ends a turn that no put came of. A put that is under way with that turn goes on.
    package func giveUp(_ turn: WriteTurn) { loop.giveUp(turn.id) }

    // MARK: Writing

    private func write(
        _ value: any ContentBytes,
        _ key: [UInt8],
        _ options: PutOptions
    ) async throws -> PutReceipt {
        try check(key: key)
        guard value.count <= Self.maximumValueLength else {
            throw DHTError(
                .invalidArgument,
                "value is \(describe(byteCount: value.count)), the limit is \(Self.maximumValueLength) bytes"
            )
        }
        let lifetime = try options.check()
        if options.isKept, lifetime < RenewedValue.leastLifetime {
            throw unkeepable(.lifetime(atLeast: RenewedValue.leastLifetime))
        }
        try checkMayWrite()
        let deadline = deadline(after: options.timeout)
        // Its digests take a while, in which others may write.
        let isLong = value.count > RecordLayout.maximumValueLength
        let own = options.turn == nil && isLong ? await takeTurn(of: key) : nil
        defer { if let own { giveUp(own) } }
        let put = options.operation(key, value, lifetime: lifetime) {
            !Task.isCancelled && deadline.map { SystemClock.now.instant < $0 } != false
        }
        guard let put else {
            // Without its digests it is not begun: the time for it is over, or it cannot be read.
            try Task.checkCancellation()
            if let deadline, SystemClock.now.instant >= deadline {
                throw DHTError(.timedOut, "the time for this call is over")
            }
            throw DHTError(.internal, "the value cannot be read any more; nothing was written")
        }
        try Task.checkCancellation()
        guard UInt64(put.lifetime) >= put.leastLifetime else { throw tooBrief(put, byteCount: value.count) }
        switch try await perform(.put(put), turn: (options.turn ?? own)?.id, until: deadline) {
        case .put(let record, let outcome):
            return try await receipt(record, outcome, options, hiddenBy: await hider(in: outcome))
        case .conflict(let standing): throw conflict(with: standing)
        case .unstorable(let refusal): throw unstorable(refusal)
        case .unkeepable(let refusal): throw unkeepable(refusal)
        default: throw unexpected
        }
    }

    /// Refuses writes of this node if its own allowlist has it with `write=no`: its records count nowhere.
    private func checkMayWrite() throws(DHTError) {
        guard let list = board.list, list.member(identity)?.mayWrite == false
        else { return }
        throw DHTError(.denied, "this node may only read: its own allowlist has it with write=no")
    }
}
