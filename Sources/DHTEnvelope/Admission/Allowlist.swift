import DHTCore
import DHTCrypto

/// The list of members: identities with names for people, where to find them, and whether their records
/// count.
///
/// The order that shows is that of the file. Nothing here is on the network: the list is an operator's word.
public struct Allowlist: Sendable {
    /// A member: one who is admitted.
    public struct Member: Hashable, Sendable {
        /// The public key of the member.
        public let identity: Identity
        /// 1…32 of `A–Z a–z 0–9 . _ -`; the first 12 characters of the identity if the list gives none.
        public let name: String
        /// `host:port`, in the order given: where to begin looking for the member.
        public let addresses: [String]
        /// Whether records the member signed are kept and read.
        public let mayWrite: Bool
        /// SHA-1 of the identity, computed once.
        package let nodeID: NodeID

        /// A member; a list of members checks it: ``Allowlist/init(members:)``.
        ///
        /// - Parameters:
        ///   - identity: The public key.
        ///   - name: 1…32 of `A–Z a–z 0–9 . _ -`.
        ///   - addresses: `host:port` each; the host may be a name.
        ///   - mayWrite: Whether records the member signs are kept and read.
        public init(identity: Identity, name: String, addresses: [String] = [], mayWrite: Bool = true) {
            (self.identity, self.name, self.addresses) = (identity, name, addresses)
            self.mayWrite = mayWrite
            nodeID = identity.nodeID
        }
    }

    /// One who is admitted no more, whatever any line says.
    public struct Revocation: Hashable, Sendable {
        /// The public key that counts no more.
        public let identity: Identity
        /// The name in the line that revokes it, for people.
        public let name: String
    }

    /// One whose signature makes a list a roster: who is admitted is this one's word, wherever it comes from.
    public struct Administrator: Hashable, Sendable {
        /// The public key that signs; not necessarily a member's.
        public let identity: Identity
        /// The name in the line, for people.
        public let name: String

        /// An administrator.
        ///
        /// - Parameters:
        ///   - identity: The public key that signs.
        ///   - name: 1…32 of `A–Z a–z 0–9 . _ -`.
        public init(identity: Identity, name: String) { (self.identity, self.name) = (identity, name) }
    }

    /// A member as some line has it, revoked or not.
    struct Entry: Sendable {
        let member: Member
        let place: Place
        let namePlace: Place
    }

    /// A place in a file.
    struct Place: Hashable, Sendable {
        let file: String
        let line: Int
        let column: Int
    }

    /// The members admitted, in file order.
    public private(set) var members: [Member] = []
    /// The identities revoked, in file order.
    public private(set) var revoked: [Revocation] = []
    /// Those who may sign rosters, in file order.
    public private(set) var administrators: [Administrator] = []
    private var entries: [Entry] = []
    private var positions: [Identity: Int] = [:]

    /// An empty list, which admits nobody.
    public init() {}

    /// The list with these lines; the same identity or the same name twice is an error.
    init(
        entries: [Entry],
        revoked: [Revocation],
        administrators: [Administrator] = []
    ) throws(AllowlistError) {
        self.entries = entries
        self.revoked = revoked
        self.administrators = administrators
        let expelled = Set(revoked.map(\.identity))
        var names: [String: Place] = [:]
        for entry in entries where !expelled.contains(entry.member.identity) {
            let member = entry.member
            if let first = names[member.name] {
                throw AllowlistError(
                    entry.namePlace,
                    "the name \(member.name) is taken in \(first.seen(from: entry.place))"
                )
            }
            names[member.name] = entry.namePlace
            positions[member.identity] = members.count
            members.append(member)
        }
    }

    /// The list of these members, in this order.
    ///
    /// - Throws: ``AllowlistError`` if an identity or a name is there twice, an identity is no public key, or
    ///   a name or an address is none; its file is `members`, its line the number of the member, from 1.
    public init(members: [Member]) throws(AllowlistError) {
        var numbers: [Identity: Int] = [:]
        var entries: [Entry] = []
        for (index, member) in members.enumerated() {
            let place = Place(file: "members", line: index + 1, column: 1)
            if let first = numbers.updateValue(index + 1, forKey: member.identity) {
                throw .listedAlready(place, inLine: first)
            }
            guard member.identity.isValidKey else {
                throw AllowlistError(place, "these 32 bytes are no public key")
            }
            guard AllowlistOption.isName(Array(member.name.utf8)[...]) else {
                throw AllowlistError(place, AllowlistOption.nameRule)
            }
            for address in member.addresses {
                do { _ = try AllowlistOption.address(Array(address.utf8)[...]) } catch {
                    throw AllowlistError(place, error.message)
                }
            }
            entries.append(Entry(member: member, place: place, namePlace: place))
        }
        try self.init(entries: entries, revoked: [])
    }

    /// The list of these members, whose identities and names differ and are good: made by a program.
    package init(known members: [Member]) {
        self.members = members
        positions.reserveCapacity(members.count)
        for (index, member) in members.enumerated() {
            positions[member.identity] = index
            let place = Place(file: "members", line: index + 1, column: 1)
            entries.append(Entry(member: member, place: place, namePlace: place))
        }
        precondition(positions.count == members.count, "an identity is listed twice")
    }

    /// The member with this identity; `nil` if nobody admits it or somebody revoked it.
    public func member(_ identity: Identity) -> Member? { positions[identity].map { members[$0] } }

    /// 8 hexadecimal digits that lists have in common which admit the same and let the same write, in
    /// whatever order and under whatever names.
    public var digest: String {
        let lines = members.map { $0.identity.bytes + [$0.mayWrite ? 1 : 0] }
            .sorted { $0.lexicographicallyPrecedes($1) }
        return String(hexadecimal(blake2b(Array(lines.joined()), count: 32)).prefix(8))
    }

    /// Whether there is a member with this identity.
    package func holds(_ identity: Identity) -> Bool { positions[identity] != nil }

    /// The member's place in the key space; `nil` if there is no such member.
    func nodeID(of identity: Identity) -> NodeID? { positions[identity].map { members[$0].nodeID } }

    /// Whether there is such a member, whose records count.
    func mayWrite(_ identity: Identity) -> Bool { positions[identity].map { members[$0].mayWrite } ?? false }

    /// Adds another file's lines. Saying the same of a member twice is fine, contradicting is not; a
    /// revocation in any of the files wins.
    public mutating func merge(_ other: Allowlist) throws(AllowlistError) {
        var known: [Identity: Entry] = [:]
        for entry in entries { known[entry.member.identity] = entry }
        var added: [Entry] = []
        for entry in other.entries {
            guard let first = known[entry.member.identity] else {
                added.append(entry)
                continue
            }
            guard first.member == entry.member else {
                let place = first.place.seen(from: entry.place)
                throw AllowlistError(
                    entry.place,
                    "\(entry.member.name) is listed otherwise in \(place); make both alike"
                )
            }
        }
        let expelled = Set(revoked.map(\.identity))
        let revocations = other.revoked.filter { !expelled.contains($0.identity) }
        let pinned = Set(administrators.map(\.identity))
        self = try Allowlist(
            entries: entries + added,
            revoked: revoked + revocations,
            administrators: administrators + other.administrators.filter { !pinned.contains($0.identity) }
        )
    }

    /// The members of both, without whoever either of them revokes. Of one who is in both, this list's word
    /// counts; whoever has a name that is taken here goes by the beginning of its identity.
    package func united(with roster: Allowlist) -> Allowlist {
        var united = Allowlist()
        let known = Set(revoked.map(\.identity))
        united.revoked = revoked + roster.revoked.filter { !known.contains($0.identity) }
        let expelled = Set(united.revoked.map(\.identity))
        united.administrators = roster.administrators.filter { !expelled.contains($0.identity) }
        var names: Set<String> = []
        for entry in entries + roster.entries {
            let member = entry.member
            guard !expelled.contains(member.identity), united.positions[member.identity] == nil else {
                continue
            }
            // A list that calls it nothing leaves that to the roster.
            let own = String(member.identity.text.prefix(12))
            let called = member.name == own ? roster.member(member.identity)?.name ?? own : member.name
            let isNew = names.insert(called).inserted
            united.positions[member.identity] = united.members.count
            united.members.append(
                Member(
                    identity: member.identity,
                    name: isNew ? called : own,
                    addresses: member.addresses,
                    mayWrite: member.mayWrite
                )
            )
            united.entries.append(entry)
        }
        return united
    }
}

extension Allowlist: Equatable {
    /// Lists are equal that admit and revoke the same in the same order, wherever they were written.
    public static func == (lhs: Allowlist, rhs: Allowlist) -> Bool {
        lhs.members == rhs.members && lhs.revoked == rhs.revoked
            && lhs.administrators == rhs.administrators
    }
}

extension Allowlist.Place {
    /// `line 3`, or `other.allow:3` from another file.
    func seen(from place: Self) -> String { place.file == file ? "line \(line)" : "\(file):\(line)" }
}

/// An error in an allowlist, and its place.
public struct AllowlistError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name given for the file when it was read; `members` of a list made from members.
    public let file: String
    /// From 1.
    public let line: Int
    /// From 1.
    public let column: Int
    /// The error, and what to do. Holds no secret.
    public let message: String

    init(_ place: Allowlist.Place, _ message: String) {
        (file, line, column) = (place.file, place.line, place.column)
        self.message = message
    }

    static func listedAlready(_ place: Allowlist.Place, inLine line: Int) -> Self {
        Self(place, "this identity is listed already, in line \(line)")
    }

    /// `FILE:LINE:COLUMN: message`.
    public var description: String { "\(file):\(line):\(column): \(message)" }
}
