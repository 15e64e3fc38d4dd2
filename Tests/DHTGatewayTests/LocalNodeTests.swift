import DHTCrypto
import Logging
import SecureDHT
import Testing

@testable import DHTGateway

/// A real node, alone on the loopback address.
struct LocalNodeTests {
    private let key = NodeKey()
    private let other = NodeKey()

    private func list(_ members: String...) throws -> Allowlist {
        try Allowlist(parsing: members.joined(separator: "\n"), file: "test.allow")
    }

    /// Runs a node that has `other` on its list as beta, unless it `isAlone`, and reads `reread` when it is
    /// told to reload.
    private func running(
        isAlone: Bool = false,
        reread: @escaping @Sendable () throws(Failure) -> Allowlist = { () throws(Failure) in Allowlist() },
        _ body: (LocalNode) async throws -> Void
    ) async throws {
        let alpha = "\(key.identity.text) alpha"
        let members = try isAlone ? list(alpha) : list(alpha, "\(other.identity.text) beta")
        let node = try await DHTNode.start(
            NodeConfiguration(
                key: key,
                network: NetworkSecret(),
                admission: .members(members),
                listen: [HostPort(host: "127.0.0.1", port: 0)],
                name: "alpha",
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
        )
        let local = LocalNode(
            node,
            name: "alpha",
            members: members,
            rereadMembers: { () throws(Failure) in AdmissionFiles(try reread()) },
            onStop: {}
        )
        do { try await body(local) } catch {
            await node.stop()
            throw error
        }
        await node.stop()
    }

    @Test func `a value is put, got with its author's name, and deleted`() async throws {
        try await running(isAlone: true) { node in
            let key = Array("k".utf8)
            let stored = try await node.put(key, [1, 2], PutQuery(lifetime: 60))
            #expect(stored.copies.stored == 1)
            let got = try await node.get(key, GetQuery(author: "alpha", replicas: 8, paths: 8, all: true))
            #expect(got.values.map(\.value.bytes) == [[1, 2]])
            #expect(got.values.map(\.author) == [.init(id: self.key.identity.text, name: "alpha")])
            #expect(got.values.map(\.revision) == [stored.revision])
            #expect(got.values.map(\.expires) == [stored.expires])
            let status = try await node.status()
            #expect(status.records.count == 1)
            #expect(status.members == 0)
            #expect(status.address.hasPrefix("127.0.0.1:"))
            _ = try await node.delete(key)
            await #expect(throws: Failure.self) { try await node.get(key, GetQuery()) }
            let failure = await #expect(throws: Failure.self) { try await node.delete(key) }
            #expect(failure?.code == .notFound)
        }
    }

    @Test func `conditions hold`() async throws {
        try await running(isAlone: true) { node in
            let first = try await node.put([1], [1], PutQuery(condition: .absent))
            let taken = await #expect(throws: Failure.self) {
                try await node.put([1], [2], PutQuery(condition: .absent))
            }
            #expect(taken?.code == .conflict)
            let second = try await node.put([1], [3], PutQuery(condition: .revision(first.revision)))
            #expect(second.revision > first.revision)
        }
    }

    @Test func `people are known by identity or name, and a slip is noticed`() async throws {
        try await running { node in
            for author in ["beta", other.identity.text] {
                let failure = await #expect(throws: Failure.self) {
                    try await node.get([1], GetQuery(author: author))
                }
                #expect(failure?.code == .unreachable)
            }
            let failure = await #expect(throws: Failure.self) { try await node.ping("bata") }
            #expect(
                failure
                    == Failure(
                        .invalidArgument,
                        "bata is neither an identity nor the name of a member (did you mean \"beta\"?)"
                    )
            )
        }
    }

    @Test func `limits are checked before anything is asked`() async throws {
        try await running { node in
            for replicas in [0, 9] {
                await #expect(throws: Failure(.invalidArgument, "--replicas: \(replicas) is outside 1 to 8"))
                {
                    try await node.get([1], GetQuery(replicas: replicas))
                }
            }
            for paths in [0, 9] {
                await #expect(throws: Failure(.invalidArgument, "--paths: \(paths) is outside 1 to 8")) {
                    try await node.get([1], GetQuery(paths: paths))
                }
            }
            await #expect(throws: Failure(.invalidArgument, "--min-copies: 9 is outside 1 to 8")) {
                try await node.put([1], [], PutQuery(minimumCopies: 9))
            }
        }
    }

    @Test func `a list that became empty is taken only if that is meant`() async throws {
        try await running(reread: { () throws(Failure) in Allowlist() }) { node in
            let failure = await #expect(throws: Failure.self) { try await node.reload(force: false) }
            #expect(failure?.code == .configuration && failure?.message.contains("--force") == true)
            var status = try await node.status()
            #expect(status.members == 1)
            let reply = try await node.reload(force: true)
            #expect(reply.members == 0 && reply.removed == ["alpha", "beta"] && reply.isListed == false)
            status = try await node.status()
            #expect(status.members == 0)
        }
    }

    @Test func `a node tells its version and its network`() async throws {
        try await running { node in
            let status = try await node.status()
            #expect(status.version == BuildVersion.text)
            #expect(status.network?.count == 8 && status.storeProblem == nil)
        }
    }

    @Test func `a reload takes the new list, or leaves the old one`() async throws {
        let next = try list("\(key.identity.text) alpha")
        try await running(reread: { () throws(Failure) in next }) { node in
            let reply = try await node.reload(force: false)
            #expect(reply.members == 1 && reply.removed == ["beta"] && reply.added == [])
            #expect(reply.digest == next.digest && reply.isListed == true)
            let status = try await node.status()
            #expect(status.members == 0)
        }
        let broken = Failure(.configuration, "test.allow:1:1: broken")
        try await running(reread: { () throws(Failure) in throw broken }) { node in
            await #expect(throws: broken) { try await node.reload(force: false) }
            let status = try await node.status()
            #expect(status.members == 1)
        }
    }
}
