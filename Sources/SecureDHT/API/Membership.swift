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
        return try await change { try $0.admit(member) }
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
        return try await change { try $0.revoke(member) }
    }

    /// The next roster, made of the present one's text; the first, of the files.
    private func change(
        _ body: @escaping @Sendable (inout RosterDraft) throws -> Void
    ) async throws(DHTError) -> Roster {
        let board = board
        do {
            return try await loop.publish { try board.sign(isContested: $0, body) }
        } catch let error as DHTError {
            throw error
        } catch { throw DHTError(.invalidArgument, "\(error); nothing was changed") }
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
        do { roster = try Roster(parsing: bytes, of: board.network.networkKey.id, file: file) } catch {
            throw DHTError(.configuration, "\(error); nothing was changed")
        }
        try await publish(roster)
        return roster
    }

    /// The bytes of a roster's file, for this overlay.
    package func fileText(of roster: Roster) -> [UInt8] { roster.file(of: board.network.networkKey.id) }

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
