import FoundationEssentials
import SecureDHT

/// The flags in the table: JSON under `flags/NAME`, where of all authors' values the newest counts.
struct Flags: Sendable {
    /// A flag that stands in the table.
    struct Entry {
        let flag: Flag
        let revision: Revision

        /// `nil` for the mark of a removed flag.
        init?(_ value: [UInt8], _ revision: Revision) throws {
            guard !value.isEmpty else { return nil }
            flag = try JSONDecoder().decode(Flag.self, from: Data(value))
            self.revision = revision
        }
    }

    /// How long a call may take.
    private static let patience = Duration.seconds(2)
    /// Of values whose author's node keeps them alive no more.
    private static let lifetime = Duration.seconds(30 * 86_400)
    /// Stands for no flag. A deletion by the table takes away the own author's value alone, and an older one
    /// of another would show again.
    private static let removed: [UInt8] = []

    let node: DHTNode

    /// The flag of this name; `nil` if there is none.
    func entry(of name: FlagName) async throws -> Entry? {
        guard let found = try await node.get(key(of: name), options: GetOptions(timeout: Self.patience))
        else { return nil }
        return try Entry(found.value, found.revision)
    }

    /// Writes a flag, which this node keeps alive.
    func write(
        _ flag: Flag,
        as name: FlagName,
        under condition: PutOptions.Condition?
    ) async throws -> PutReceipt {
        try await put(Array(JSONEncoder().encode(flag)), name, condition, isKept: true)
    }

    /// Removes the flag of this name, if there is one.
    func remove(_ name: FlagName, under condition: PutOptions.Condition?) async throws -> PutReceipt {
        // It outlives all that is older, so nobody has to keep it alive.
        try await put(Self.removed, name, condition, isKept: false)
    }

    private func put(
        _ value: [UInt8],
        _ name: FlagName,
        _ condition: PutOptions.Condition?,
        isKept: Bool
    ) async throws -> PutReceipt {
        var options = PutOptions(
            lifetime: Self.lifetime,
            condition: condition,
            isKept: isKept,
            timeout: Self.patience
        )
        do { return try await node.put(value, for: key(of: name), options: options) } catch let error
            as DHTError
        {
            // Where the mark of a removed flag stands no flag does.
            guard error.code == .conflict, condition == .absent, let standing = error.standing,
                standing.value == Self.removed
            else { throw error }
            options.condition = .revision(standing.revision)
            return try await node.put(value, for: key(of: name), options: options)
        }
    }

    private func key(of name: FlagName) -> String { "flags/\(name)" }
}
