import DHTCore
import DHTEngine
import DHTEnvelope
import FoundationEssentials

// The calls of users who read.

extension DHTNode {
    /// Reads the newest value under a key; `nil` if there is none, which is no error.
    ///
    /// - Parameters:
    ///   - key: 1…128 bytes.
    ///   - options: How many answers to compare, whose value, how long at most.
    /// - Throws: ``DHTError``: `unreachable` if nobody answered, so that nothing found proves nothing, or if
    ///   nobody who has a long value can be reached; `invalidArgument`, `timedOut`, `stopped`.
    ///   `CancellationError` if the task is cancelled.
    public func get(_ key: some Collection<UInt8> & Sendable, options: GetOptions = GetOptions()) async throws
        -> StoredValue?
    {
        try await read(Array(key), options, isExhaustive: false).values.first
    }

    /// Reads the newest value under text.
    public func get(_ key: String, options: GetOptions = GetOptions()) async throws -> StoredValue? {
        try await read(Array(key.utf8), options, isExhaustive: false).values.first
    }

    /// Reads the newest value and decodes it from JSON. Throws what the decoder throws as well.
    public func get<Value: Decodable>(
        _ key: String,
        as type: Value.Type,
        by decoder: JSONDecoder = JSONDecoder(),
        options: GetOptions = GetOptions()
    ) async throws -> Value? {
        try await get(key, options: options)?.decoded(as: type, by: decoder)
    }

    /// Reads every author's value under a key.
    public func getAll(_ key: some Collection<UInt8> & Sendable, options: GetOptions = GetOptions())
        async throws -> GetResult
    {
        try await read(Array(key), options, isExhaustive: true)
    }

    /// Reads every author's value under text.
    public func getAll(_ key: String, options: GetOptions = GetOptions()) async throws -> GetResult {
        try await read(Array(key.utf8), options, isExhaustive: true)
    }

    // MARK: Reading

    /// The outcome of a read; and the company of this node if no other node answered, else `nil`. Throws if
    /// nothing was found and that proves nothing.
    func find(
        _ key: [UInt8],
        options: GetOptions,
        isExhaustive: Bool,
        until deadline: Instant?
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
        guard case .got(let outcome) = try await perform(operation, until: deadline) else { throw unexpected }
        let company = await company(missedBy: outcome)
        if outcome.found.isEmpty, let error = blindness(of: outcome, among: company) { throw error }
        return (outcome, company)
    }

    private func read(_ key: [UInt8], _ options: GetOptions, isExhaustive: Bool) async throws -> GetResult {
        let deadline = deadline(after: options.timeout)
        func find() async throws -> (outcome: GetOutcome, company: Company?) {
            try await self.find(key, options: options, isExhaustive: isExhaustive, until: deadline)
        }
        let first = try await find()
        do { return try await result(key, first.outcome, first.company, until: deadline) } catch let error
            as DHTError
        {
            // The record found may have been replaced meanwhile, and its content removed everywhere.
            guard error.code == .unreachable else { throw error }
            let next = try await find()
            let records = [first, next].map { $0.outcome.found.map(\.record.digest) }
            guard records[0] != records[1] else { throw error }
            return try await result(key, next.outcome, next.company, until: deadline)
        }
    }

    private func result(
        _ key: [UInt8],
        _ outcome: GetOutcome,
        _ company: Company?,
        until deadline: Instant?
    ) async throws -> GetResult {
        var values: [StoredValue] = []
        for found in outcome.found where !found.record.isTombstone && Array(found.record.key) == key {
            let value = try await value(of: found.record, from: outcome.contacts, until: deadline)
            values.append(StoredValue(found, value))
        }
        return GetResult(
            values: values,
            answered: outcome.answered,
            asked: outcome.asked,
            isIsolated: company?.isIsolated ?? false,
            ahead: outcome.secondsAhead.map { .seconds($0) }
        )
    }

    /// The value of a record: its own, or the content it refers to, which is fetched from `contacts`.
    private func value(
        of record: Record,
        from contacts: [Contact],
        until deadline: Instant?
    ) async throws -> [UInt8] {
        guard let reference = record.reference else { return Array(record.value) }
        guard case .fetched(let fetched) = try await perform(.fetch(record, from: contacts), until: deadline)
        else { throw unexpected }
        guard let bytes = fetched else {
            throw DHTError(
                .unreachable,
                "the value has \(describe(byteCount: Int(reference.length))), and nobody who has them "
                    + "answers. Try again: what came is kept"
            )
        }
        return bytes
    }
}
