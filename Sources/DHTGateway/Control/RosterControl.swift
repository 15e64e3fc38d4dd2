import DHTCore
import DHTCrypto
import FoundationEssentials
import SecureDHT

/// Operations on who is a member.
package protocol RosterControl: Sendable {
    func members() async throws(Failure) -> MembersReply
    /// `identity`: a text form; `name`: what nobody else is called.
    func admit(_ identity: String, name: String, addresses: [String]) async throws(Failure) -> SpreadReply
    /// `member`: an identity or a name.
    func revoke(_ member: String) async throws(Failure) -> SpreadReply
    /// `addresses`: where the machine is to ask, if not where the node listens.
    func invite(_ name: String, seconds: UInt32, addresses: [String]) async throws(Failure) -> InviteReply
    func roster() async throws(Failure) -> RosterReply
    /// `roster`: the bytes of a signed roster's file.
    func push(_ roster: [UInt8]) async throws(Failure) -> SpreadReply
}

extension LocalNode {
    /// The longest that is waited for a roster to spread.
    private static let patience = Duration.seconds(5)

    package func members() async throws(Failure) -> MembersReply {
        let status = await node.rosterStatus()
        return MembersReply(
            serial: status.serial,
            signed: status.signed?.unixSeconds,
            administrators: status.administrators.map(\.text),
            members: await node.members().map {
                .init(
                    id: $0.identity.text,
                    name: $0.name,
                    state: $0.state.rawValue,
                    serial: $0.serial,
                    write: $0.mayWrite
                )
            }
        )
    }

    package func admit(
        _ identity: String,
        name: String,
        addresses: [String]
    ) async throws(Failure) -> SpreadReply {
        let newcomer: Identity
        do { newcomer = try Identity(text: identity) } catch { throw Failure(.invalidArgument, "\(error)") }
        let roster: Roster
        do { roster = try await node.admit(newcomer, name: name, addresses: addresses) } catch {
            throw Failure(error)
        }
        return try await spread(of: roster) { $0?.holds(newcomer) == true }
    }

    package func revoke(_ member: String) async throws(Failure) -> SpreadReply {
        let identity = try resolveForRevocation(member)
        let roster: Roster
        do { roster = try await node.revoke(identity) } catch { throw Failure(error) }
        return try await spread(of: roster) { list in
            list?.revoked.contains { $0.identity == identity } == true
        }
    }

    package func invite(
        _ name: String,
        seconds: UInt32,
        addresses: [String]
    ) async throws(Failure) -> InviteReply {
        var places: [Endpoint] = []
        for address in addresses {
            guard let place = HostPort(address)?.numeric, place.port != 0 else {
                throw Failure(
                    .invalidArgument,
                    "--addr takes ADDRESS:PORT, of digits and not a name: \(address)"
                )
            }
            places.append(place)
        }
        do {
            let invitation = try await node.invite(name, for: .seconds(seconds), at: places)
            return InviteReply(invitation: invitation.line, name: name, seconds: seconds)
        } catch { throw Failure(error) }
    }

    package func roster() async throws(Failure) -> RosterReply {
        guard let roster = node.roster else {
            throw Failure(
                .notFound,
                "this node follows no roster: its members are in the files it was started with. "
                    + "Begin one: dht roster sign FILE; then dht roster push"
            )
        }
        return RosterReply(
            serial: roster.serial,
            signed: roster.signedAt,
            administrator: roster.administrator.text,
            roster: String(decoding: node.fileText(of: roster), as: UTF8.self)
        )
    }

    package func push(_ roster: [UInt8]) async throws(Failure) -> SpreadReply {
        let pushed: Roster
        do { pushed = try await node.publish(parsing: roster, file: "roster") } catch { throw Failure(error) }
        return try await spread(of: pushed) { _ in false }
    }

    /// The identity that somebody means who is to be expelled: of two with one name, in the files and in the
    /// roster, neither. An administrator need not be a member.
    private func resolveForRevocation(_ name: String) throws(Failure) -> Identity {
        let signed = node.roster?.list
        let named = signed?.members.first { $0.name == name }?.identity
        let administrator = signed?.administrators.first { $0.name == name }?.identity
        let known = list?.members.first { $0.name == name }?.identity
        let meant = Set([named, administrator, known].compactMap { $0 })
        guard meant.count < 2 else {
            throw Failure(
                .invalidArgument,
                "\(name) is the name of several: \(meant.sorted().map(\.text).joined(separator: ", ")); "
                    + "give the identity; nothing was changed"
            )
        }
        if let identity = meant.first { return identity }
        return try resolve(name)
    }

    /// How far a roster of ours comes. `counts`: whether what it was published for is so by this list, in
    /// case that another one came to count meanwhile.
    private func spread(
        of roster: Roster,
        _ counts: (Allowlist?) -> Bool
    ) async throws(Failure) -> SpreadReply {
        let spread = await node.spread(of: roster, within: Self.patience)
        guard !spread.isOvertaken || counts(list) else {
            throw Failure(
                .conflict,
                "roster \(roster.serial) was overtaken by \(spread.serial), which somebody else signed, and "
                    + "what it was for is not so: do it again"
            )
        }
        if !spread.behind.isEmpty, await !node.rosterStatus().conflict.isEmpty {
            throw Failure(
                .conflict,
                "somebody else signed another roster \(spread.serial), which some members hold "
                    + "(\(spread.behind.joined(separator: ", "))): do it again, which signs the next one"
            )
        }
        return SpreadReply(spread)
    }
}
