import DHTCore
import DHTCrypto
import DHTEngine
import Foundation
import Logging
import Testing

@testable import DHTEnvelope
@testable import SecureDHT

/// Machines that join by an invitation, over real sockets.
@Suite(.serialized) struct InvitingTests {
    private let root = NodeKey()
    private let network = NetworkSecret()
    private let key = NodeKey()

    private func configuration(_ listen: String = "127.0.0.1:0") throws -> NodeConfiguration {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let text = "@admin \(root.identity.text) root\n\(key.identity.text) first\n"
        let roster = try Roster(
            signing: Array(text.utf8),
            serial: 1,
            with: root,
            network: network,
            file: "members"
        )
        var setup = NodeConfiguration(
            key: key,
            network: network,
            admission: .members(Allowlist()),
            roster: roster,
            listen: HostPort(listen).map { [$0] } ?? [],
            logger: logger
        )
        setup.administrator = root
        return setup
    }

    private func running(_ setup: NodeConfiguration, _ body: (DHTNode) async throws -> Void) async throws {
        let node = try await DHTNode.start(setup)
        do { try await body(node) } catch {
            await node.abandon()
            throw error
        }
        await node.abandon()
    }

    /// Is let in, however busy this machine is.
    private func join(_ invitation: Invitation, as key: NodeKey) async throws -> Admittance {
        try await DHTNode.join(invitation, as: key, within: .seconds(120))
    }

    private func node(_ key: NodeKey, _ admittance: Admittance) async throws -> DHTNode {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return try await DHTNode.start(
            NodeConfiguration(
                key: key,
                network: admittance.network,
                admission: .members(admittance.list),
                listen: [HostPort(host: "127.0.0.1", port: 0)],
                logger: logger
            )
        )
    }

    @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
    func `a machine joins, reads and writes`(listen: String) async throws {
        try await running(try configuration(listen)) { first in
            try await first.put("value", for: "key")
            let invitation = try await first.invite("laptop")
            #expect(invitation.inviter == first.identity)
            let key = NodeKey()
            let admittance = try await join(try Invitation(parsing: invitation.line), as: key)
            #expect(admittance.name == "laptop")
            #expect(admittance.network.fingerprint == network.fingerprint)
            #expect(first.roster?.serial == 2)
            let rejected = await first.status().rejected
            #expect(rejected.allSatisfy { $0.count == 0 && $0.lastSource == nil }, "nobody is suspected")
            guard !listen.hasPrefix("[") else { return }
            let second = try await node(key, admittance)
            try await eventually("it has the roster") { second.roster?.serial == 2 }
            #expect(try await second.get("key")?.text == "value")
            #expect(await second.members().map(\.name).sorted() == ["first", "laptop"])
            await second.abandon()
        }
    }

    @Test func `an invitation that was used, is over, or was never given lets nobody in`() async throws {
        try await running(try configuration()) { first in
            func failure(_ invitation: Invitation) async -> DHTError? {
                do {
                    _ = try await DHTNode.join(invitation, as: NodeKey(), within: .seconds(2))
                    return nil
                } catch { return error }
            }
            let invitation = try await first.invite("laptop")
            _ = try await join(invitation, as: NodeKey())
            #expect(await failure(invitation)?.code == .unreachable)
            let brief = try await first.invite("nas", for: .seconds(1))
            try await Task.sleep(for: .seconds(1.2))
            #expect(await failure(brief)?.code == .unreachable)
            #expect(first.roster?.serial == 2)
            #expect(await first.members().count == 2)
            await #expect(throws: DHTError.self) { try await first.invite("laptop") }
            await #expect(throws: DHTError.self) { try await first.invite("not a name") }
        }
    }

    @Test func `who asks again within a minute is answered again`() async throws {
        try await running(try configuration()) { first in
            let (invitation, key) = (try await first.invite("laptop"), NodeKey())
            let once = try await join(invitation, as: key)
            let again = try await join(invitation, as: key)
            #expect(once.name == again.name)
            #expect(first.roster?.serial == 2)
        }
    }

    @Test func `a used invitation stays used over a restart`() async throws {
        let folder = try Folder()
        var setup = try configuration()
        setup.storage = .directory(folder.file("data"))
        let first = try await DHTNode.start(setup)
        let (used, open) = (try await first.invite("laptop"), try await first.invite("nas"))
        _ = try await join(used, as: NodeKey())
        let port = first.reachableAddress.port
        await first.stop()
        setup.listen = [HostPort(host: "127.0.0.1", port: port)]
        try await running(setup) { _ in
            let failure = await #expect(throws: DHTError.self) {
                try await DHTNode.join(used, as: NodeKey(), within: .seconds(2))
            }
            #expect(failure?.code == .unreachable)
            let joined = try await join(open, as: NodeKey())
            #expect(joined.name == "nas")
        }
    }

    @Test func `who comes back after the inviter crashed between use and answer is let in`() async throws {
        let folder = try Folder()
        var setup = try configuration()
        setup.storage = .directory(folder.file("data"))
        let first = try await DHTNode.start(setup)
        let (invitation, key) = (try await first.invite("laptop"), NodeKey())
        setup.listen = [HostPort(host: "127.0.0.1", port: first.reachableAddress.port)]
        await first.stop()
        // As a process leaves it that was killed when the use was on the disk, and the roster was not.
        let path = folder.file("data/invitations")
        let line = String(decoding: folder.bytes("data/invitations") ?? [], as: UTF8.self)
            .trimmingCharacters(in: .newlines)
        let now = SystemClock.now.unixMilliseconds
        try folder.write("\(line) \(key.identity.text) \(now)\n", to: "data/invitations")
        #expect(folder.mode("data/invitations") == 0o600, "\(path)")
        try await running(setup) { next in
            let other = await #expect(throws: DHTError.self) {
                try await DHTNode.join(invitation, as: NodeKey(), within: .seconds(2))
            }
            #expect(other?.code == .unreachable)
            let joined = try await join(invitation, as: key)
            #expect(joined.name == "laptop")
            #expect(next.roster?.serial == 2)
        }
    }

    @Test func `whoever was let in and then revoked is told no network key, also within the minute`()
        async throws
    {
        try await running(try configuration()) { first in
            let (invitation, key) = (try await first.invite("laptop"), NodeKey())
            _ = try await join(invitation, as: key)
            try await first.revoke(key.identity)
            let failure = await #expect(throws: DHTError.self) {
                try await DHTNode.join(invitation, as: key, within: .seconds(2))
            }
            #expect(failure?.code == .unreachable)
        }
    }

    @Test func `an invitation that cannot be written lets nobody in`() async throws {
        let folder = try Folder()
        var setup = try configuration()
        setup.storage = .directory(folder.file("data"))
        try await running(setup) { first in
            let invitation = try await first.invite("laptop")
            // A directory in its place cannot be replaced by a file, by root neither.
            try FileManager.default.removeItem(atPath: folder.file("data/invitations"))
            try FileManager.default.createDirectory(
                atPath: folder.file("data/invitations"),
                withIntermediateDirectories: false
            )
            let key = NodeKey()
            await #expect(throws: DHTError.self) {
                try await DHTNode.join(invitation, as: key, within: .seconds(2))
            }
            #expect(first.roster?.serial == 1)
            await #expect(throws: DHTError.self) { try await first.invite("nas") }
            try FileManager.default.removeItem(atPath: folder.file("data/invitations"))
            let joined = try await join(invitation, as: key)
            #expect(joined.name == "laptop")
        }
    }
}

/// The doors of open invitations.
struct ReceptionTests {
    private let key = NodeKey()
    private let endpoint = Endpoint(ipv4: 0x7F00_0001, port: 1)

    private func secret(_ number: UInt8) -> [UInt8] {
        [UInt8](repeating: number, count: InvitationText.secretLength)
    }

    private func reception(open count: UInt8) -> Reception {
        let reception = Reception(InvitationBook(), key: key.signingKey, at: SystemClock.now)
        let expires = SystemClock.now.unixMilliseconds + 60_000
        for number in 0..<count {
            let entry = InvitationBook.Entry(secret: secret(number), name: "n\(number)", expires: expires)
            #expect(reception.open(entry, key: key.signingKey, at: SystemClock.now) == .opened)
        }
        return reception
    }

    /// A datagram of somebody who has a secret.
    private func request(_ request: Request, secret: [UInt8]) throws -> [UInt8] {
        let now = SystemClock.now.instant
        var gate = Gate(
            keys: KeyRing(
                signing: NodeKey().signingKey.copy(),
                network: NetworkKey(ofInvitation: secret),
                at: now
            ),
            admission: .open,
            entropy: SystemEntropy(),
            at: now
        )
        let options = Gate.SealOptions(transaction: 1, usesStaticKey: true, answerLength: 512)
        let outgoing = gate.draft(request, to: key.identity, at: endpoint, options, now: now)
        return try #require(outgoing.flatMap { gate.finish($0) })
    }

    /// What comes of a datagram, in a word: whom it lets in, if anybody.
    private func knock(_ datagram: [UInt8], at reception: Reception, _ now: Now) -> String {
        switch reception.receive(datagram, from: endpoint, at: now) {
        case .arrival(let arrival): reception.name(of: arrival) ?? "nobody"
        case .idle: "idle"
        case .stranger: "stranger"
        }
    }

    @Test func `each of sixteen is tried, and nothing but JOIN is looked at`() throws {
        let reception = reception(open: UInt8(InvitationBook.capacity))
        let now = SystemClock.now
        for number in 0..<UInt8(InvitationBook.capacity) {
            let ping = try request(.ping(isLeaving: false), secret: secret(number))
            #expect(knock(ping, at: reception, now) == "idle")
            let join = try request(.join, secret: secret(number))
            #expect(knock(join, at: reception, now) == "n\(number)")
            #expect(knock(join, at: reception, now) == "idle", "sent again as it was")
        }
        let stranger = try request(.join, secret: secret(99))
        #expect(knock(stranger, at: reception, now) == "stranger")
        #expect(knock([UInt8](repeating: 1, count: 512), at: reception, now) == "stranger")
    }

    @Test func `a door is gone when its invitation is over, and nothing is tried where none is open`() throws
    {
        let reception = reception(open: 2)
        #expect(!reception.isEmpty)
        reception.close(secret(0))
        let now = SystemClock.now
        let late = try request(.join, secret: secret(0))
        #expect(knock(late, at: reception, now) == "stranger")
        let later = Now(instant: now.instant, unixMilliseconds: now.unixMilliseconds + 60_000)
        #expect(reception.closeThoseOver(at: later) == true)
        #expect(reception.isEmpty)
        #expect(reception.closeThoseOver(at: later) == false)
    }
}
