import DHTEnvelope
import Foundation
import Logging
import SecureDHT
import Testing

/// Administrators over real sockets, one of whose keys the first node has.
@Suite(.serialized) struct RosterTests {
    private let root = NodeKey()
    private let network = NetworkSecret()

    private func setup(_ key: NodeKey, roster: Roster, peers: [DHTNode] = []) -> NodeConfiguration {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return NodeConfiguration(
            key: key,
            network: network,
            admission: .members(Allowlist()),
            roster: roster,
            listen: [HostPort(host: "127.0.0.1", port: 0)],
            peers: peers.map {
                PeerAddress(
                    identity: $0.identity,
                    address: HostPort(host: "127.0.0.1", port: $0.reachableAddress.port)
                )
            },
            logger: logger
        )
    }

    private func roster(_ keys: [NodeKey], serial: UInt64 = 1) throws -> Roster {
        let lines = keys.enumerated().map { "\($1.identity.text)  member-\($0)\n" }.joined()
        return try Roster(
            signing: Array("@admin \(root.identity.text) root\n\(lines)".utf8),
            serial: serial,
            with: root,
            network: network,
            file: "members"
        )
    }

    /// Runs `body` with so many members that know each other, of which the first has the administrator's key.
    private func running(_ count: Int, _ body: ([DHTNode], Roster) async throws -> Void) async throws {
        let keys = (0..<count).map { _ in NodeKey() }
        let roster = try roster(keys)
        var nodes: [DHTNode] = []
        do {
            for key in keys {
                var setup = setup(key, roster: roster, peers: Array(nodes.prefix(1)))
                if nodes.isEmpty { setup.administrator = root }
                nodes.append(try await DHTNode.start(setup))
            }
            for node in nodes {
                try await eventually("a member knows others") {
                    await node.status().peersUp >= min(count - 1, 20)
                }
            }
            try await body(nodes, roster)
        } catch {
            for node in nodes { await node.abandon() }
            throw error
        }
        for node in nodes { await node.abandon() }
    }

    @Test func `a member is admitted and another expelled by one call each, everywhere`() async throws {
        try await running(5) { nodes, first in
            var changes = nodes[2].membershipChanges().makeAsyncIterator()
            let newcomer = NodeKey()
            let second = try await nodes[0].admit(newcomer.identity, name: "newcomer")
            #expect(second.serial == 2)
            let admitted = try #require(await changes.next())
            #expect(admitted.admitted.map(\.name) == ["newcomer"])
            #expect(admitted.serial == 2)
            let spread = await nodes[0].spread(of: second)
            #expect((spread.reached, spread.total, spread.absent) == (5, 6, ["newcomer"]))
            let late = try await DHTNode.start(setup(newcomer, roster: first, peers: [nodes[3]]))
            // It was told of a roster in which it is not, and gets the present one from the first it meets.
            try await eventually("the newcomer holds the present roster") { late.roster?.serial == 2 }
            try await late.put("value", for: "key")

            let third = try await nodes[0].revoke(newcomer.identity)
            let after = await nodes[0].spread(of: third)
            #expect(!after.isOvertaken && after.serial == 3)
            #expect((after.reached, after.total, after.behind) == (5, 5, []))
            #expect(try await #require(changes.next()).removed.map(\.name) == ["newcomer"])
            for node in nodes {
                #expect(try await node.get("key") == nil)
                #expect(await !node.peers().contains { $0.identity == newcomer.identity })
            }
            #expect(late.roster?.serial == 2)
            #expect(await nodes[1].members().map(\.name) == (0..<5).map { "member-\($0)" })
            await late.abandon()
        }
    }

    @Test func `what cannot be is told in one line, and changes nothing`() async throws {
        try await running(3) { nodes, first in
            func failure(_ body: () async throws -> Void) async -> DHTError? {
                do {
                    try await body()
                    return nil
                } catch { return error as? DHTError }
            }
            let stranger = NodeKey().identity
            let cases: [(DHTError.Code, String, () async throws -> Void)] = [
                (
                    .conflict, "is a member already",
                    {
                        try await nodes[0].admit(nodes[1].identity, name: "x")
                    }
                ),
                (.conflict, "is taken by", { try await nodes[0].admit(stranger, name: "member-1") }),
                (.invalidArgument, "a name has", { try await nodes[0].admit(stranger, name: "not a name") }),
                (
                    .invalidArgument, "addr=",
                    {
                        try await nodes[0].admit(stranger, name: "x", addresses: ["nowhere"])
                    }
                ),
                (.denied, "no administrator's key", { try await nodes[1].admit(stranger, name: "x") }),
                (.denied, "no administrator's key", { try await nodes[1].revoke(nodes[2].identity) }),
                (.invalidArgument, "this node itself", { try await nodes[0].revoke(nodes[0].identity) }),
                (.invalidArgument, "the only administrator", { try await nodes[0].revoke(root.identity) }),
                (
                    .conflict, "another roster of serial 1 counts",
                    {
                        try await nodes[1].publish(try roster([NodeKey()]))
                    }
                ),
                (
                    .denied, "is no administrator",
                    {
                        let other = NodeKey()
                        let text = "@admin \(other.identity.text)\n"
                        try await nodes[1].publish(
                            try Roster(
                                signing: Array(text.utf8),
                                serial: 9,
                                with: other,
                                network: network,
                                file: "f"
                            )
                        )
                    }
                ),
            ]
            for (code, words, body) in cases {
                let failure = await failure(body)
                #expect(failure?.code == code, "\(words): \(String(describing: failure))")
                #expect(failure?.reason.contains(words) == true, "\(failure?.reason ?? "")")
                #expect(failure?.reason.contains("\n") == false)
            }
            #expect(nodes.allSatisfy { $0.roster?.serial == 1 })
            #expect(await nodes[1].rosterStatus().conflict == [root.identity])
            #expect(await nodes[0].members().count == 3)
        }
    }

    @Test func `a node begins with the roster it had, and catches up from an older one`() async throws {
        try await running(3) { nodes, first in
            let folder = try Folder()
            let key = NodeKey()
            try await nodes[0].admit(key.identity, name: "fourth")
            var setup = setup(key, roster: first, peers: [nodes[1]])
            setup.storage = .directory(folder.file("data"))
            let node = try await DHTNode.start(setup)
            try await eventually("it holds the present roster") { node.roster?.serial == 2 }
            await node.stop()
            let file = folder.file("data/roster")
            let kept = try Data(contentsOf: URL(filePath: file))
            #expect(try Roster(parsing: Array(kept), of: network, file: "roster").serial == 2)

            // Alone, it still knows.
            setup.peers = []
            let again = try await DHTNode.start(setup)
            #expect(again.roster?.serial == 2)
            await again.stop()
            // A backup brings an older one.
            try Data(first.fileText(of: network)).write(to: URL(filePath: file))
            setup.peers = self.setup(key, roster: first, peers: [nodes[2]]).peers
            let restored = try await DHTNode.start(setup)
            try await eventually("it catches up") { restored.roster?.serial == 2 }
            await restored.stop()
            try Data(kept.dropLast()).write(to: URL(filePath: file))
            let failure = await #expect(throws: DHTError.self) { _ = try await DHTNode.start(setup) }
            #expect(failure?.code == .integrity)
            #expect(failure?.reason.contains("roster:1:") == true)
        }
    }

    @Test func `a revocation that is overtaken, or signed beside another, is told`() async throws {
        let twin = NodeKey()
        let keys = (0..<3).map { _ in NodeKey() }
        let lines = keys.enumerated().map { "\($1.identity.text)  member-\($0)\n" }.joined()
        let admins = "@admin \(root.identity.text) root\n@admin \(twin.identity.text) twin\n"
        func sign(_ serial: UInt64, with key: NodeKey, _ more: String = "") throws -> Roster {
            let text = Array((admins + lines + more).utf8)
            return try Roster(signing: text, serial: serial, with: key, network: network, file: "members")
        }
        let first = try sign(1, with: root)
        var nodes: [DHTNode] = []
        for key in keys {
            var setup = setup(key, roster: first, peers: Array(nodes.prefix(1)))
            if nodes.isEmpty { setup.administrator = root }
            nodes.append(try await DHTNode.start(setup))
        }
        defer { for node in nodes { Task { await node.abandon() } } }
        for node in nodes {
            try await eventually("a member knows others") { await node.status().peersUp == 2 }
        }
        // Two of one serial: the other members hold the other one.
        try await nodes[2].publish(try sign(2, with: twin, "# ours\n"))
        try await eventually("the other one has spread") { nodes.allSatisfy { $0.roster?.serial == 2 } }
        let laptop = NodeKey().identity
        let third = try await nodes[0].revoke(laptop)
        #expect(third.serial == 3)
        try await eventually("that is known") { await nodes[0].spread(of: third).reached == 3 }
        // Two newer ones of the other administrator, in which nobody is revoked.
        try await nodes[2].publish(try sign(5, with: twin, "# again\n"))
        try await eventually("it has spread") { nodes.allSatisfy { $0.roster?.serial == 5 } }
        try await eventually("that is known here") { await nodes[0].spread(of: third).reached == 3 }
        let spread = await nodes[0].spread(of: third)
        #expect(spread.isOvertaken && spread.serial == 5)
        // What was done is not so, and can be done again.
        #expect(try await nodes[0].revoke(laptop).serial == 6)
        await #expect(throws: DHTError.self) { try await nodes[0].revoke(laptop) }
        await #expect(throws: DHTError.self) {
            try await nodes[0].publish(try sign(6, with: twin, "# a twin\n"))
        }
        // Two of one serial are signed: whoever is revoked in one of them may be so again, in the next.
        #expect(try await nodes[0].revoke(laptop).serial == 7)
    }

    @Test func `a directory whose roster cannot be read or written is told of, and nothing is lost`()
        async throws
    {
        try await running(2) { nodes, first in
            let (folder, key) = (try Folder(), NodeKey())
            var setup = setup(key, roster: first, peers: [nodes[1]])
            setup.administrator = root
            setup.storage = .directory(folder.file("data"))
            let admitted = try await nodes[0].admit(key.identity, name: "third")
            let node = try await DHTNode.start(setup)
            try await eventually("it holds the present roster") { node.roster?.serial == 2 }
            await node.stop()
            let file = folder.file("data/roster")
            #expect(chmod(file, 0o666) == 0)
            let exposed = await #expect(throws: DHTError.self) { _ = try await DHTNode.start(setup) }
            #expect(exposed?.code == .denied)
            #expect(exposed?.reason.contains("may be changed by everybody") == true)
            try FileManager.default.removeItem(atPath: file)
            try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: true)
            let unreadable = await #expect(throws: DHTError.self) { _ = try await DHTNode.start(setup) }
            #expect(unreadable?.code == .integrity)
            try FileManager.default.removeItem(atPath: file)

            setup.roster = admitted
            let again = try await DHTNode.start(setup)
            try await eventually("it knows the others") { await again.status().peersUp == 2 }
            // A place where nothing can be written: a directory that is not empty.
            try FileManager.default.removeItem(atPath: file)
            try FileManager.default.createDirectory(
                atPath: file + "/in-the-way",
                withIntermediateDirectories: true
            )
            let failure = await #expect(throws: DHTError.self) {
                try await again.admit(NodeKey().identity, name: "fourth")
            }
            #expect(failure?.code == .internal)
            #expect(failure?.reason.hasSuffix("nothing was changed") == true)
            #expect(again.roster?.serial == 2 && nodes.allSatisfy { $0.roster?.serial == 2 })
            // One of others counts all the same, and is written when it can be.
            try await nodes[0].admit(NodeKey().identity, name: "fourth")
            try await eventually("it follows") { again.roster?.serial == 3 }
            try await eventually("it says so") { await again.rosterStatus().unwritten != nil }
            try FileManager.default.removeItem(atPath: file)
            try await eventually("it is written at last") { await again.rosterStatus().unwritten == nil }
            #expect(try Roster(file: file, of: network).serial == 3)
            await again.stop()
        }
    }

    @Test func `the first roster has all members of the files, whoever is admitted`() async throws {
        let keys = (0..<3).map { _ in NodeKey() }
        let lines = keys.enumerated().map { "\($1.identity.text)  member-\($0)\n" }.joined()
        let old = NodeKey().identity
        let list = try Allowlist(
            parsing: "@admin \(root.identity.text) root\n\(lines)@revoked \(old.text) old\n",
            file: "members"
        )
        var setup = setup(keys[0], roster: try roster(keys))
        (setup.admission, setup.roster, setup.administrator) = (.members(list), nil, root)
        let node = try await DHTNode.start(setup)
        #expect(node.roster == nil)
        // A member of the files is none of any roster yet.
        let first = try await node.admit(keys[1].identity, name: "member-1")
        #expect(first.serial == 1)
        #expect(first.list.members.map(\.identity) == keys.map(\.identity))
        #expect(first.list.revoked.map(\.identity) == [old])
        await #expect(throws: DHTError.self) { try await node.admit(keys[1].identity, name: "member-1") }
        await node.abandon()
    }

    /// 128 with DHT_ROSTER_NODES=128, on a machine that is quiet.
    @Test func `all members hold a new roster soon, and each fetched it once`() async throws {
        let count = ProcessInfo.processInfo.environment["DHT_ROSTER_NODES"].flatMap { Int($0) } ?? 24
        try await running(count) { nodes, _ in
            let begun = ContinuousClock.now
            try await nodes[0].admit(NodeKey().identity, name: "newcomer")
            while !nodes.allSatisfy({ $0.roster?.serial == 2 }) {
                try #require(ContinuousClock.now - begun < .seconds(20), "it takes too long")
                try await Task.sleep(for: .milliseconds(5))
            }
            let took = ContinuousClock.now - begun
            print("\(count) nodes hold the roster after \(took)")
            let fetched = await nodes.dropFirst().asyncMap { node in
                await node.status().counters.first { $0.name == "rosters_fetched" }?.count
            }
            #expect(fetched.allSatisfy { $0 == 1 }, "\(fetched)")
        }
    }
}

extension Sequence {
    fileprivate func asyncMap<Value>(_ body: (Element) async -> Value) async -> [Value] {
        var values: [Value] = []
        for element in self { values.append(await body(element)) }
        return values
    }
}
