import DHTCore
import DHTCrypto
import DHTEnvelope
import Glibc

/// A machine that shows an invitation, by sockets of its own; blocks its thread.
struct Joiner {
    private let invitation: InvitationText
    private let key: NodeKey

    /// Between one JOIN and the next, at first; and twice as long after every other one: the inviter looks at
    /// eight of one process, and then at few.
    private static let pause = Interval.seconds(1)
    /// Holds a welcome.
    private static let answerLength = 512

    init(_ invitation: InvitationText, _ key: NodeKey) { (self.invitation, self.key) = (invitation, key) }

    func run(within patience: Duration) throws -> Admittance {
        let begun = SystemClock.now.instant
        var gate = try makeGate(at: begun)
        let sockets = invitation.endpoints.compactMap { JoinSocket(to: $0) }
        guard !sockets.isEmpty else { throw DHTError(.unreachable, "this machine has no way to \(places)") }
        let end = begun.advanced(by: patience)
        var now = begun
        var asked: UInt64 = 0
        while now < end {
            for socket in sockets {
                let options = Gate.SealOptions(
                    transaction: gate.makeTransaction(),
                    usesStaticKey: true,
                    answerLength: Self.answerLength
                )
                let outgoing = gate.draft(
                    .join,
                    to: invitation.inviter,
                    at: socket.endpoint,
                    options,
                    now: now
                )
                if let datagram = outgoing.flatMap({ gate.finish($0) }) { socket.send(datagram) }
            }
            let pause = Self.pause * (1 << min(asked / 2, 4))
            asked += 1
            if let admittance = wait(until: min(end, now + pause), sockets, &gate) { return admittance }
            now = SystemClock.now.instant
        }
        throw DHTError(
            .unreachable,
            "\(places) did not let this machine in: the invitation was used, is over, or nobody answers "
                + "there. See the inviter's log, or ask for another one: dht invite NAME"
        )
    }

    /// The gate of a network of two.
    private func makeGate(at now: Instant) throws -> Gate {
        let inviter = Allowlist.Member(identity: invitation.inviter, name: "inviter")
        let admission = Admission.members(try Allowlist(members: [inviter]))
        return Gate(
            keys: KeyRing(
                signing: key.signingKey.copy(),
                network: NetworkKey(ofInvitation: invitation.secret),
                at: now
            ),
            admission: admission.policy(for: key.identity),
            entropy: SystemEntropy(),
            at: now
        )
    }

    private var places: String { invitation.endpoints.map { "\($0)" }.joined(separator: ", ") }

    /// The answer, if one comes by then.
    private func wait(until end: Instant, _ sockets: [JoinSocket], _ gate: inout Gate) -> Admittance? {
        var now = SystemClock.now.instant
        while now < end {
            var ready = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            let rest = Int32(end.since(now).nanoseconds / 1_000_000 + 1)
            _ = unsafe poll(&ready, nfds_t(ready.count), rest)
            now = SystemClock.now.instant
            for (socket, state) in zip(sockets, ready) where state.revents != 0 {
                guard let datagram = socket.receive(),
                    case .answer(let answer) = gate.receive(datagram, from: socket.endpoint, at: now),
                    case .welcome(let bytes) = answer.response, let admittance = admittance(bytes)
                else { continue }
                return admittance
            }
        }
        return nil
    }

    private func admittance(_ bytes: [UInt8]) -> Admittance? {
        guard var welcome = Welcome(bytes) else { return nil }
        let addresses = invitation.endpoints.map { "  addr=\($0)" }.joined()
        var text =
            "# From an invitation. Who else is a member the roster says, which comes from the inviter.\n"
        for administrator in welcome.administrators { text += "@admin \(administrator.text)\n" }
        text += "\(invitation.inviter.text)\(addresses)\n"
        text += "\(key.identity.text)  \(welcome.name)\n"
        guard let list = try? Allowlist(parsing: text, file: "invitation") else { return nil }
        let secret = SecretBytes(wiping: &welcome.networkKey)
        return Admittance(
            network: NetworkSecret(NetworkKey(bytes: secret)),
            name: welcome.name,
            list: list,
            listText: text
        )
    }
}

/// A UDP socket that speaks with one address.
private final class JoinSocket {
    let endpoint: Endpoint
    let descriptor: Int32

    /// `nil`: this machine has no way there.
    init?(to endpoint: Endpoint) {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        self.endpoint = endpoint
        descriptor = socket(endpoint.family == .ipv4 ? AF_INET : AF_INET6, type, 0)
        guard descriptor >= 0, let address = endpoint.socketAddress,
            unsafe address.withSockAddr({ unsafe connect(descriptor, $0, socklen_t($1)) == 0 })
        else { return nil }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func send(_ datagram: [UInt8]) { _ = unsafe Glibc.send(descriptor, datagram, datagram.count, 0) }

    /// `nil`: there is nothing, or nobody listens there.
    func receive() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: Datagram.maximumLength + 1)
        let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count > 0 ? Array(buffer[..<count]) : nil
    }
}
