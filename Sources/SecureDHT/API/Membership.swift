import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import FoundationEssentials

extension DHTNode {
    /// How often it is looked whether a roster has spread.
    private static let lookInterval = Duration.milliseconds(20)

    /// The roster that counts here; `nil`: none does, and the operator's own lists are all there is.
    public var roster: Roster? { board.roster }

    /// The rule that counts now: the operator's own lists and the roster together.
    public var admission: Admission { board.admission }

    /// All members, in the order of the lists, and what this node knows of each; empty in open mode.
    public func members() async -> [MemberStatus] {
        guard let list = board.list else { return [] }
        let states = Dictionary(
            await peers().map { ($0.identity, $0.state) },
            uniquingKeysWith: { first, _ in first }
        )
        let words = await loop.rosterWords(list.members.map(\.identity))
        let own = board.roster?.mark ?? .none
        return list.members.map { member in
            let isSelf = member.identity == identity
            return MemberStatus(
                member,
                state: isSelf ? .good : states[member.identity] ?? .unknown,
                mark: isSelf ? own : words[member.identity]?.mark,
                since: isSelf ? nil : words[member.identity]?.since
            )
        }
    }

    /// The node's knowledge of rosters.
    public func rosterStatus() async -> RosterStatus { await loop.rosterStatus }

    /// Every change of who is a member, from now on; ends when the node stops.
    public func membershipChanges() -> AsyncStream<MembershipChange> { board.changes() }

    // MARK: Changing

    /// Makes somebody a member, of the whole overlay: by a roster signed with the administrator's key of this
    /// node, which all other nodes take over.
    ///
    /// - Parameters:
    ///   - newcomer: The public key.
    ///   - name: 1…32 of `A–Z a–z 0–9 . _ -`, that no other member has.
    ///   - addresses: `host:port` each: where to begin looking for it.
    /// - Returns: The roster, which others have yet to take over: ``spread(of:within:)``.
    /// - Throws: ``DHTError``: `conflict` if the roster names it, or it is revoked, or the name is another's;
    ///   `invalidArgument` for a name or an address that is none; `denied` if this node has no
    ///   administrator's key, or not one that counts; `configuration` if it has no lists; `internal` if the
    ///   roster cannot be written.
    @discardableResult
    public func admit(
        _ newcomer: Identity,
        name: String,
        addresses: [String] = []
    ) async throws(DHTError) -> Roster {
        let member = Allowlist.Member(identity: newcomer, name: name, addresses: addresses)
        do { _ = try Allowlist(members: [member]) } catch { throw DHTError(.invalidArgument, error.message) }
        return try await change { list, signed, isContested, text in
            if let known = signed?.member(newcomer) {
                // Signed anew, for the other one of that serial may not name it.
                if isContested { return }
                throw DHTError(.conflict, "\(known.name) is a member already; nothing was changed")
            }
            if let old = list.revoked.first(where: { $0.identity == newcomer }) {
                throw DHTError(
                    .conflict,
                    "\(old.name) is revoked, and stays so: it needs another key; nothing was changed"
                )
            }
            if let other = list.members.first(where: { $0.name == name && $0.identity != newcomer }) {
                throw DHTError(
                    .conflict,
                    "the name \(name) is taken by \(other.identity.text); nothing was changed"
                )
            }
            // The first roster has all members of the files.
            if signed != nil || !list.holds(newcomer) { text.admit(member) }
        }
    }

    /// Expels a member from the whole overlay, as ``admit(_:name:addresses:)`` admits one. An administrator
    /// may be expelled as well, but not the last one.
    ///
    /// - Parameter member: A member, an administrator, or any identity that is never to be one.
    /// - Returns: The roster, which others have yet to take over: ``spread(of:within:)``.
    /// - Throws: ``DHTError``: `invalidArgument` if it is this node, or the only administrator; `conflict` if
    ///   the roster revokes it already; `denied`, `internal` and `configuration` as when one is admitted.
    @discardableResult
    public func revoke(_ member: Identity) async throws(DHTError) -> Roster {
        guard member != identity else {
            throw DHTError(.invalidArgument, "that is this node itself: revoke it at another one")
        }
        return try await change { list, signed, isContested, text in
            if signed?.revoked.contains(where: { $0.identity == member }) == true {
                // Signed anew, for the other one of that serial may not revoke it.
                if isContested { return }
                throw DHTError(.conflict, "it is revoked already; nothing was changed")
            }
            if (signed ?? list).administrators.map(\.identity) == [member] {
                throw DHTError(
                    .invalidArgument,
                    "that is the only administrator: name another one first; nothing was changed"
                )
            }
            let name =
                list.member(member)?.name
                ?? (signed ?? list).administrators.first { $0.identity == member }?.name
                ?? String(member.text.prefix(12))
            text.revoke(member, name: name)
        }
    }

    /// A change of a roster's text: given the list that counts, the present roster's own, if there is one,
    /// and whether there are two of its serial.
    private typealias Change =
        @Sendable (
            _ list: Allowlist, _ signed: Allowlist?, _ isContested: Bool, inout RosterText
        ) throws -> Void

    /// The next roster, made of the present one's text; the first, of the files.
    private func change(_ body: @escaping Change) async throws(DHTError) -> Roster {
        guard case .members = admission else {
            throw DHTError(.configuration, "every holder of the network key is admitted: there are no lists")
        }
        guard let administrator else {
            throw DHTError(
                .denied,
                "this node has no administrator's key: do it where that is; nothing was changed",
                remedy: .administrator
            )
        }
        let (board, networkID) = (board, networkID)
        do {
            return try await loop.publish { isContested in
                let present = board.roster
                let list = board.list ?? Allowlist()
                let administrators = present?.list.administrators ?? list.administrators
                guard administrators.contains(where: { $0.identity == administrator.identity }) else {
                    throw DHTError(
                        .denied,
                        "\(administrator.identity.text), whose key this node has, is no administrator; "
                            + "nothing was changed"
                    )
                }
                guard let serial = Roster.serial(after: present?.serial ?? 0) else {
                    throw DHTError(
                        .conflict,
                        "the roster has the highest serial there is: begin anew, from files; "
                            + "nothing was changed"
                    )
                }
                let text = try Self.text(after: present, list, administrators, isContested, body)
                return try Roster.sign(
                    text.bytes,
                    serial: serial,
                    time: SystemClock.now.unixMilliseconds / 1000,
                    with: administrator.signingKey,
                    network: networkID,
                    file: "roster"
                )
            }
        } catch let error as DHTError {
            throw error
        } catch { throw DHTError(.invalidArgument, "\(error); nothing was changed") }
    }

    private static func text(
        after present: Roster?,
        _ list: Allowlist,
        _ administrators: [Allowlist.Administrator],
        _ isContested: Bool,
        _ change: Change
    ) throws -> RosterText {
        guard let present else {
            var text = RosterText(members: list.members, administrators: administrators)
            for revocation in list.revoked { text.revoke(revocation.identity, name: revocation.name) }
            try change(list, nil, isContested, &text)
            return text
        }
        var text = RosterText(present.text)
        try change(list, present.list, isContested, &text)
        return text
    }

    /// Has a roster count from now on, here and everywhere.
    ///
    /// - Throws: ``DHTError``: `conflict` if there is a newer one or another of its serial, `denied` if no
    ///   administrator signed it.
    public func publish(_ roster: Roster) async throws(DHTError) {
        guard case .members = admission else {
            throw DHTError(.configuration, "every holder of the network key is admitted: a roster has no say")
        }
        let held = board.roster?.serial ?? 0
        switch try await loop.publish(roster) {
        case .newer, .held: return
        case .older:
            throw DHTError(.conflict, "serial \(roster.serial) is over: \(held) counts; nothing was changed")
        case .conflict:
            throw DHTError(
                .conflict,
                "another roster of serial \(roster.serial) counts: sign this one with a higher one; "
                    + "nothing was changed"
            )
        case .forged: throw DHTError(.integrity, "the roster's signature is not good; nothing was changed")
        case .stranger:
            throw DHTError(
                .denied,
                "\(roster.administrator.text), who signed the roster, is no administrator; "
                    + "nothing was changed"
            )
        }
    }

    /// Has a roster count of which there is a file.
    package func publish(parsing bytes: [UInt8], file: String) async throws(DHTError) -> Roster {
        let roster: Roster
        do { roster = try Roster(parsing: bytes, of: networkID, file: file) } catch {
            throw DHTError(.configuration, "\(error); nothing was changed")
        }
        try await publish(roster)
        return roster
    }

    /// The bytes of a roster's file, for this overlay.
    package func fileText(of roster: Roster) -> [UInt8] { roster.file(of: networkID) }

    /// Waits until all members that answer hold the roster that counts here, which was just published.
    ///
    /// - Parameters:
    ///   - roster: The one that was published. If another one comes to count meanwhile, the result is about
    ///     that one, and says so.
    ///   - patience: The longest it waits.
    public func spread(of roster: Roster, within patience: Duration = .seconds(5)) async -> RosterSpread {
        let begun = ContinuousClock.now
        while true {
            let members = await members()
            let mark = board.roster?.mark ?? roster.mark
            let lacking = members.filter { $0.identity != identity && !$0.holds(mark) }
            let behind = lacking.filter { $0.state == .good || $0.state == .questionable }
            let duration = ContinuousClock.now - begun
            if behind.isEmpty || duration >= patience || Task.isCancelled {
                return RosterSpread(
                    serial: mark.serial,
                    isOvertaken: mark != roster.mark,
                    reached: members.count - lacking.count,
                    total: members.count,
                    behind: behind.map(\.name),
                    absent: lacking.filter { member in !behind.contains { $0 == member } }.map(\.name),
                    duration: duration
                )
            }
            try? await Task.sleep(for: Self.lookInterval)
        }
    }
}
