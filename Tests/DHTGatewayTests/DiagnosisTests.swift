import DHTCore
import Foundation
import SecureDHT
import Testing

@testable import DHTGateway

/// From what a node knows to what is wrong with it.
struct DiagnosisTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let own = NodeKey().identity
    private let beta = NodeKey().identity
    private let gamma = NodeKey().identity

    private func status(
        up: Int = 2,
        complaints: [NodeStatus.Complaint] = [],
        rejected: [NodeStatus.Rejection] = [],
        counters: [NodeStatus.Counter] = [.init(name: "received", count: 5)],
        knocking: [Knocker] = [],
        suspects: [Suspect] = [],
        store: NodeStatus.Store = .init(live: 1, limit: 100)
    ) throws -> NodeStatus {
        NodeStatus(
            identity: own,
            nodeID: own.nodeID,
            name: "alpha",
            addresses: [try #require(Endpoint("10.0.0.1:4100"))],
            members: 2,
            peersKnown: 2,
            peersUp: up,
            store: store,
            rejected: rejected,
            counters: counters,
            suspects: suspects,
            complaints: complaints,
            knocking: knocking,
            network: "1a2b3c4d"
        )
    }

    private func peer(
        _ identity: Identity,
        _ name: String,
        at address: String? = "10.0.0.2:4100",
        listed: String? = nil,
        state: PeerStatus.State = .good,
        clock: Duration? = nil
    ) throws -> PeerStatus {
        PeerStatus(
            identity: identity,
            name: name,
            address: try address.map { try #require(Endpoint($0)) },
            state: state,
            roundTrip: nil,
            lastAnswered: Self.now - 60,
            listedAddress: try listed.map { try #require(Endpoint($0)) },
            clockDifference: clock
        )
    }

    private func codes(_ diagnosis: Diagnosis) -> [Finding.Code] { diagnosis.findings.map(\.code) }

    private func diagnosis(
        _ status: NodeStatus,
        _ peers: [PeerStatus],
        probes: [Identity: Diagnosis.Probe]? = nil,
        host: HostFacts? = nil,
        isListed: Bool? = true
    ) -> Diagnosis {
        Diagnosis(
            status: status,
            peers: peers,
            probes: probes,
            host: host,
            isListed: isListed,
            now: Self.now
        )
    }

    @Test func `nothing is wrong with a node that knows of nothing`() throws {
        let well = diagnosis(try status(), [try peer(beta, "beta")], probes: [beta: .init(roundTrip: .zero)])
        #expect(well.findings == [])
    }

    @Test(arguments: [
        (["send_failed.ENETUNREACH": 3, "received": 9], Finding.Code.noRoute, "ENETUNREACH, 3 times"),
        (["send_failed.EAGAIN": 3, "received": 0], .isolated, "UDP port 4100 may be closed"),
        (["received": 7], .isolated, "none of 2 members answers"),
    ])
    func `isolation is told with its likeliest cause`(
        counters: [String: UInt64],
        code: Finding.Code,
        words: String
    ) throws {
        let counted = counters.map { NodeStatus.Counter(name: $0.key, count: $0.value) }
        let complaint = NodeStatus.Complaint(.isolated, "none of 2 members answers")
        let found = diagnosis(try status(up: 0, complaints: [complaint], counters: counted), []).findings
        #expect(found.map(\.code) == [code])
        #expect(found[0].text.contains(words))
        #expect(found[0].next?.isEmpty == false)
    }

    @Test func `a silent member that others know refuses us, one that nobody knows is unreachable`() throws {
        let peers = [try peer(beta, "beta", state: .bad), try peer(gamma, "gamma", at: "10.0.0.3:4100")]
        var probes = [beta: Diagnosis.Probe(witnesses: ["gamma"]), gamma: .init(roundTrip: .zero)]
        let refused = try #require(diagnosis(try status(), peers, probes: probes).findings.first)
        #expect(refused.code == .refusedBy && refused.peer == "beta")
        #expect(refused.text.contains("gamma know it") && refused.next?.contains(own.text) == true)
        probes[beta]?.witnesses = []
        let gone = try #require(diagnosis(try status(), peers, probes: probes).findings.first)
        #expect(gone.code == .unreachable && gone.text.contains("since 07:59:00"))
        // Cut off from all, one can say nothing of each.
        probes[gamma]?.roundTrip = nil
        #expect(codes(diagnosis(try status(), peers, probes: probes)) == [])
        #expect(codes(diagnosis(try status(), peers)) == [])
    }

    @Test func `datagrams that cannot be read count if they are a member's`() throws {
        func rejected(_ reason: NodeStatus.Rejection.Reason, _ source: String, _ ago: Double) throws
            -> [NodeStatus.Rejection]
        {
            let place = try #require(Endpoint(source))
            return [.init(reason: reason, count: 2, lastSource: place, last: Self.now - ago)]
        }
        let peers = [try peer(beta, "beta")]
        for (reason, code) in [
            (NodeStatus.Rejection.Reason.header, Finding.Code.networkKey), (.version, .version),
        ] {
            let there = diagnosis(try status(rejected: try rejected(reason, "10.0.0.2:9", 5)), peers).findings
            #expect(there.map(\.code) == [code] && there[0].peer == "beta")
            // A stranger's noise, or what is long over.
            #expect(
                codes(diagnosis(try status(rejected: try rejected(reason, "10.9.9.9:9", 5)), peers)) == []
            )
            let old = try rejected(reason, "10.0.0.2:9", 7200)
            #expect(codes(diagnosis(try status(rejected: old), peers)) == [])
            // Nobody answers: then anybody's may be the reason.
            let strange = try rejected(reason, "10.9.9.9:9", 5)
            #expect(codes(diagnosis(try status(up: 0, rejected: strange), peers)) == [code])
        }
        let other = try rejected(.box, "10.0.0.2:9", 5)
        #expect(codes(diagnosis(try status(rejected: other), peers)) == [])
    }

    @Test func `a clock that differs from most is ours, from one is the peer's`() throws {
        func peers(_ clocks: Duration...) throws -> [PeerStatus] {
            try clocks.enumerated().map { try peer(NodeKey().identity, "peer \($0)", clock: $1) }
        }
        let ours = diagnosis(try status(), try peers(.seconds(47), .seconds(48), .zero)).findings
        #expect(ours.map(\.code) == [.clock] && ours[0].peer == nil && ours[0].text.contains("+48 s"))
        let theirs = diagnosis(try status(), try peers(.seconds(-47), .zero, .seconds(9))).findings
        #expect(theirs.map(\.peer) == ["peer 0"] && theirs[0].text.contains("by -47 s"))
        #expect(codes(diagnosis(try status(), try peers(.seconds(9), .seconds(-9)))) == [])
        // A peer may say anything.
        let mad = try peers(.seconds(Int64.max / 2), .seconds(Int64.min / 2), .zero, .zero, .zero)
        #expect(codes(diagnosis(try status(), mad)) == [.clock, .clock])
    }

    @Test func `all else is told once, with what to do next`() throws {
        let knock = Knocker(
            identity: gamma,
            address: try #require(Endpoint("10.0.0.7:4100")),
            count: 3,
            last: Self.now
        )
        let suspect = Suspect(identity: beta, name: "beta", offence: .brokenContent, count: 2, last: Self.now)
        let moved = try peer(beta, "beta", at: "10.0.0.9:4100", listed: "10.0.0.2:4100")
        let sick = diagnosis(
            try status(
                complaints: [
                    .init(.twoProcesses, "another"), .init(.listen, "closed"), .init(.family, "apart"),
                    .init(.disk, "full"),
                ],
                counters: [.init(name: "under_replicated", count: 4)],
                knocking: [knock],
                suspects: [suspect],
                store: .init(live: 99, limit: 100)
            ),
            [moved],
            host: HostFacts(openFiles: 256, freeBytes: 1 << 20, socketDrops: 7),
            isListed: false
        )
        let expected: [Finding.Code] = [
            .twoProcesses, .listen, .family, .disk, .refuses, .moved, .disk, .copies, .limits, .limits, .disk,
            .suspect, .unlisted,
        ]
        #expect(codes(sick) == expected)
        for finding in sick.findings { #expect(finding.next?.isEmpty == false, "\(finding)") }
        let lines = InsightText.findings(sick.findings, as: "Not well")
        #expect(lines.count == 2 * expected.count)
        #expect(lines[0] == "Not well: two-processes: another")
        #expect(lines[1].hasPrefix("  next: "))
    }

    @Test func `the drops of our own sockets are read from the system's table`() {
        let table = """
               sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt ref pointer drops
             3: 00000000:1004 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 12
             4: 0100007F:1005 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 5
            nonsense
            """
        #expect(HostFacts.drops(in: table, ports: [4100]) == 12)
        #expect(HostFacts.drops(in: table, ports: [4100, 4101]) == 17)
        #expect(HostFacts.drops(in: "", ports: [4100]) == 0)
    }

    @Test func `a screen has 80 columns`() throws {
        let finding = Finding(.isolated, String(repeating: "long ", count: 40), next: "dht peers")
        let status = StatusReply(
            id: "dht1q",
            nodeID: "1a",
            name: String(repeating: "n", count: 60),
            addresses: ["[2001:db8::1]:4100"],
            uptimeMilliseconds: 61_000,
            members: 3,
            peers: .init(known: 3, up: 0),
            records: .init(count: 2, bytes: 400),
            buckets: [],
            rejected: ["header": 4, "box": 0],
            counters: ["received": 110],
            health: .init(reasons: ["isolated: x"], findings: [finding])
        )
        var before = status
        (before.uptimeMilliseconds, before.counters) = (60_000, ["received": 10])
        let peers = (0..<20).map {
            PeersReply.Peer(
                id: "dht1\($0)",
                name: nil,
                address: nil,
                state: "bad",
                roundTripMilliseconds: nil
            )
        }
        let screen = InsightText.screen(status, PeersReply(peers: peers), since: before)
        #expect(screen.allSatisfy { $0.count <= 80 })
        #expect(screen.contains { $0.hasPrefix("received 100/s") })
        #expect(screen.contains("Refused: header 4"))
        #expect(screen.contains { $0.hasPrefix("Not well: isolated") })
        #expect(screen.last == "… 8 more: dht peers")
    }
}

struct RecentLogTests {
    @Test func `the last lines stay, and who asks again goes on after the last`() {
        let log = RecentLog()
        for number in 0..<1500 { log.record(.info, "line \(number)", at: Date(timeIntervalSince1970: 5)) }
        let lines = log.lines(from: 0)
        #expect(lines.count == RecentLog.capacity)
        #expect(lines.last?.text == "line 1499" && lines.last?.number == 1499)
        #expect(log.lines(from: 1498).map(\.text) == ["line 1498", "line 1499"])
        #expect(log.lines(from: 1500) == [])
        #expect(InsightText.line(lines[lines.endIndex - 1]) == "00:00:05.000  info  line 1499")
    }
}
