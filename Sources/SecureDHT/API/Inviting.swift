import DHTCore
import DHTCrypto
import DHTEnvelope
import NIOPosix

/// A line that lets one machine in, once.
public struct Invitation: Hashable, Sendable {
    /// Seconds that one may be open.
    public static let lifetimes = 1...86_400

    let text: InvitationText

    init(_ text: InvitationText) { self.text = text }

    /// Reads the line `dht-join1…`.
    public init(parsing line: String) throws(DHTError) {
        do { text = try InvitationText(text: line) } catch {
            throw DHTError(.invalidArgument, error.description)
        }
    }

    /// The line, which is a secret until it was used.
    public var line: String { text.text }
    /// The member that lets in.
    public var inviter: Identity { text.inviter }
    /// Where that one is.
    public var addresses: [Endpoint] { text.endpoints }
}

/// All that a machine needs to be a node, as an invitation brought it.
public struct Admittance: Sendable {
    /// The overlay's secret.
    public let network: NetworkSecret
    /// The machine's name in the roster.
    public let name: String
    /// The list to start with: the administrators, and the inviter with its addresses. The roster comes from
    /// there.
    public let list: Allowlist
    /// The same as the text of a file.
    public let listText: String
}

extension DHTNode {
    /// Opens an invitation for one machine, which this node lets in when it shows it. That needs an
    /// administrator's key. With a directory it is open in the next process too.
    ///
    /// - Parameters:
    ///   - name: 1…32 of `A–Z a–z 0–9 . _ -`, that no other member has: what to call the machine.
    ///   - lifetime: The time for which the invitation is open, by this node's clock; see
    ///     ``Invitation/lifetimes``.
    ///   - addresses: Where the machine is to ask, the first three that fit; by itself where this node is
    ///     reached.
    /// - Returns: The invitation, whose ``Invitation/line`` lets in whoever shows it first.
    /// - Throws: ``DHTError``: `conflict` if the name is taken or invited already, or too many are open;
    ///   `invalidArgument` for a name that is none, or another lifetime; `internal` if the directory cannot
    ///   be written; `denied` and `configuration` as ``admit(_:name:addresses:)``.
    public func invite(
        _ name: String,
        for lifetime: Duration = .seconds(900),
        at addresses: [Endpoint] = []
    ) async throws(DHTError) -> Invitation {
        let member = Allowlist.Member(identity: identity, name: name)
        do { _ = try Allowlist(members: [member]) } catch { throw DHTError(.invalidArgument, error.message) }
        guard Invitation.lifetimes ~= Int(lifetime.components.seconds) else {
            throw DHTError(.invalidArgument, "an invitation is open for 1 second to 24 hours")
        }
        let own = [reachableAddress] + self.addresses.filter { !$0.isUnspecified }
        let secret = try await loop.invite(name, for: lifetime)
        return Invitation(
            InvitationText(
                inviter: identity,
                secret: secret,
                endpoints: addresses.isEmpty ? own : addresses
            )
        )
    }

    /// Shows an invitation, and is let in.
    ///
    /// - Parameters:
    ///   - invitation: It is used up by this, if it succeeds.
    ///   - key: The identity that becomes a member.
    ///   - patience: How long to ask: once a second at first, and then less often.
    /// - Returns: All that is needed to start a node as a member.
    /// - Throws: ``DHTError``: `unreachable` if nobody answers: the invitation was used by another key, or is
    ///   over, or the inviter does not run; `internal` if there is no socket.
    public static func join(
        _ invitation: Invitation,
        as key: NodeKey,
        within patience: Duration = .seconds(10)
    ) async throws(DHTError) -> Admittance {
        Sodium.initialize()
        // It waits for long: no thread that others need.
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let admittance: Result<Admittance, any Error>
        do {
            admittance = .success(
                try await pool.runIfActive { try Joiner(invitation.text, key).run(within: patience) }
            )
        } catch { admittance = .failure(error) }
        try? await pool.shutdownGracefully()
        do { return try admittance.get() } catch let error as DHTError {
            throw error
        } catch { throw DHTError(.internal, "\(error)") }
    }
}
