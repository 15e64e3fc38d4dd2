import DHTCore
import DHTEnvelope
import Foundation
import GRDB
import SecureDHT
import Testing

/// Each code of an error, provoked as a user would meet it, and what comes with it put to use.
@Suite struct FailureTests {
    private func failure(_ body: () async throws -> Void) async -> DHTError? {
        do { try await body() } catch { return error as? DHTError }
        return nil
    }

    @Test func `a counter of two writers needs no second read after a conflict`() async throws {
        try await Team.running(3) { team in
            try await team.nodes[2].put("0", for: "counter")
            // Each adds to it 20 times, beginning with what it read once, and from then on by conflicts.
            var seen = [try await team.nodes[0].get("counter"), try await team.nodes[1].get("counter")]
                .map { ($0?.revision, $0?.text.flatMap { Int($0) }) }
            var conflicts = 0
            for turn in 0..<40 {
                let writer = turn % 2
                while true {
                    let (revision, number) = (try #require(seen[writer].0), try #require(seen[writer].1))
                    do {
                        let receipt = try await team.nodes[writer].put(
                            "\(number + 1)",
                            for: "counter",
                            options: PutOptions(condition: .revision(revision), minimumCopies: 3)
                        )
                        seen[writer] = (receipt.revision, number + 1)
                        break
                    } catch let error as DHTError where error.code == .conflict {
                        conflicts += 1
                        let standing = try #require(error.standing)
                        #expect(standing.author != team.nodes[writer].identity)
                        #expect(standing.expires > Date())
                        seen[writer] = (standing.revision, try standing.decoded(as: Int.self))
                    }
                }
            }
            #expect(try await team.nodes[2].get("counter")?.text == "40")
            #expect(conflicts == 39, "each but the first wrote what the other had meanwhile passed")
        }
    }

    @Test func `a conflict tells of a long value, of a deletion, and of nothing`() async throws {
        try await Team.running(2) { team in
            let (node, absent) = (team.nodes[0], PutOptions(condition: .absent))
            try await node.put([UInt8](repeating: 1, count: 3000), for: "long")
            let long = await failure { try await team.nodes[1].put("mine", for: "long", options: absent) }
            #expect(long?.code == .conflict && long?.standing?.content == .longValue(byteCount: 3000))
            #expect(long?.standing?.author == node.identity && long?.standing?.value == nil)
            let gone = PutOptions(condition: .revision(Revision(rawValue: 5)))
            let nothing = await failure { try await node.put("mine", for: "nothing", options: gone) }
            #expect(nothing?.code == .conflict && nothing?.standing == nil)
        }
    }

    @Test func `a partial write brings its receipt`() async throws {
        try await Team.running(2) { team in
            let greedy = PutOptions(minimumCopies: 3)
            let error = await failure { try await team.nodes[0].put("value", for: "key", options: greedy) }
            #expect(error?.code == .partial)
            let receipt = try #require(error?.receipt)
            #expect(receipt.stored == 2 && receipt.replicas.allSatisfy { $0.verdict == .stored })
            #expect(Set(receipt.replicas.map(\.identity)) == Set(team.nodes.map(\.identity)))
            // What was written is there, and can be built upon.
            let next = PutOptions(condition: .revision(receipt.revision))
            #expect(try await team.nodes[0].put("next", for: "key", options: next).stored == 2)
        }
    }

    @Test func `members that may not write are denied, and so is a ping to a stranger`() async throws {
        var team = try Team(1)
        let reader = try Team.allowlist(team.keys, options: "write=no")
        let node = try await team.start(0, team.configuration(of: 0, admission: .members(reader)))
        #expect(await failure { try await node.put("value", for: "key") }?.code == .denied)
        #expect(await failure { try await node.delete("key") }?.code == .denied)
        #expect(await failure { _ = try await node.ping(NodeKey().identity) }?.code == .denied)
        await team.stop()
    }

    @Test func `a directory that is none, or another's, is a matter of the configuration`() async throws {
        let folder = try Folder()
        let team = try Team(2)
        var configuration = team.configuration(of: 0)
        configuration.storage = .directory(try folder.write("text", to: "file"))
        #expect(await failure { _ = try await DHTNode.start(configuration) }?.code == .configuration)
        configuration.storage = .directory(folder.file("data"))
        let node = try await DHTNode.start(configuration)
        #expect(await failure { _ = try await DHTNode.start(configuration) }?.code == .configuration)
        await node.stop()
        var other = team.configuration(of: 1)
        other.storage = configuration.storage
        #expect(await failure { _ = try await DHTNode.start(other) }?.code == .configuration)
        other.listen = []
        #expect(await failure { _ = try await DHTNode.start(other) }?.code == .configuration)
        // What is in it was damaged.
        let file = URL(filePath: folder.file("data/records.sqlite"))
        var bytes = try Data(contentsOf: file)
        for index in bytes.indices.dropFirst(4096) { bytes[index] = 0x5A }
        try bytes.write(to: file)
        let damaged = await failure { _ = try await DHTNode.start(configuration) }
        #expect(damaged?.code == .integrity, "\(String(describing: damaged))")
    }

    @Test func `what only the machine can be blamed for is internal`() async throws {
        let folder = try Folder()
        var configuration = try Team(1).configuration(of: 0)
        configuration.storage = .directory(folder.file("data"))
        try await DHTNode.start(configuration).stop()
        // Somebody looks into the database with a tool of theirs, and keeps it.
        var access = Configuration()
        access.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: folder.file("data/records.sqlite"), configuration: access)
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN EXCLUSIVE") }
        let error = await failure { _ = try await DHTNode.start(configuration) }
        #expect(error?.code == .internal, "\(String(describing: error))")
        #expect(error?.localizedDescription.contains("records.sqlite") == true)
        try other.close()
    }

    @Test func `peers that are dead, or cannot be, are unreachable`() async throws {
        try await Team.running(2) { team in
            await team.nodes[1].abandon()
            let silence = await failure { _ = try await team.nodes[0].get("anything") }
            #expect(silence?.code == .unreachable)
            #expect(silence?.reason.contains("dht ") == false, "the library names no command")
            var configuration = team.configuration(of: 1)
            let nowhere = HostPort(host: "no-such-host.invalid", port: 1)
            configuration.peers = [PeerAddress(identity: team.nodes[0].identity, address: nowhere)]
            #expect(await failure { _ = try await DHTNode.start(configuration) }?.code == .unreachable)
        }
    }

    @Test func `arguments outside their ranges are refused before anything is sent`() async throws {
        try await Team.running(1) { team in
            let node = team.nodes[0]
            for options in [
                PutOptions(lifetime: .zero), PutOptions(lifetime: .seconds(-1)),
                PutOptions(lifetime: .seconds(365 * 86_400 + 1)), PutOptions(minimumCopies: 9),
                PutOptions(lifetime: .seconds(29), isKept: true),
            ] {
                let error = await failure { try await node.put("value", for: "key", options: options) }
                #expect(error?.code == .invalidArgument, "\(options)")
            }
            #expect(await failure { _ = try await node.get("") }?.code == .invalidArgument)
            let options = GetOptions(replicas: 9)
            #expect(
                await failure { _ = try await node.get("key", options: options) }?.code == .invalidArgument
            )
            #expect(await failure { _ = try await node.ping(node.identity) }?.code == .invalidArgument)
            let brief = PutOptions(lifetime: .milliseconds(1500))
            let receipt = try await node.put("value", for: "key", options: brief)
            let seconds = receipt.expires.timeIntervalSince(receipt.revision.date)
            #expect(abs(seconds - 2) < 0.001, "a lifetime is rounded up to a second")
        }
    }

    @Test func `an error says in all its texts what is wrong`() {
        let error = DHTError(.partial, "stored at 1 node of 3")
        #expect(error.localizedDescription == error.reason && "\(error)" == error.reason)
        let any: any Error = error
        #expect(any.localizedDescription == error.reason)
        #expect(DHTError.Code(rawValue: "partial") == .partial && "\(DHTError.Code.timedOut)" == "timedOut")
    }

    @Test func `reasons and offences that nodes tell of have their names`() {
        let reasons: [NodeStatus.Rejection.Reason] = [
            .length, .header, .version, .kind, .`self`, .admission, .replay, .unsolicited, .key, .lane, .box,
            .malformed, .mismatch, .budget, .signature, .capacity, .record,
        ]
        #expect(reasons.map(\.rawValue) == DropReason.allCases.map(\.name))
        let offences: [Suspect.Offence] = [
            .wantsInVain, .undeliveredContent, .brokenContent, .lostOverAndOver, .unusableContacts,
            .struckOut,
            .twoProcesses,
        ]
        #expect(offences.map(\.rawValue) == Conduct.Offence.allCases.map(\.rawValue))
    }
}
