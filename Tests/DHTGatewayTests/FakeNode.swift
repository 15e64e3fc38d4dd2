import DHTGateway
import Synchronization

/// A node of one: values in a dictionary, and a note of what it was asked.
final class FakeNode: NodeControl {
    static let id = "dht1qqqqqqqq"

    struct State {
        var values: [[UInt8]: [UInt8]] = [:]
        var gets: [GetQuery] = []
        var puts: [PutQuery] = []
        var pings: [String] = []
        var stops = 0
        /// The next value asked for is found after this long.
        var pause = Duration.zero
        /// Questions whose askers went away.
        var cancelled = 0
        var hider: ValueReply.Author?
        var unreached: [String] = []
        var suspects: [StatusReply.Suspect] = []
        /// What the next question ends in.
        var failure: Failure?
    }

    let state = Mutex(State())

    func fail(with failure: Failure) { state.withLock { $0.failure = failure } }

    private func check() throws(Failure) {
        let failure = state.withLock { state -> Failure? in
            defer { state.failure = nil }
            return state.failure
        }
        if let failure { throw failure }
    }

    func identity() async throws(Failure) -> IdentityReply {
        try check()
        return IdentityReply(id: Self.id, nodeID: String(repeating: "1a", count: 20), name: "alpha")
    }

    func status() async throws(Failure) -> StatusReply {
        try check()
        return StatusReply(
            id: Self.id,
            nodeID: String(repeating: "1a", count: 20),
            name: "alpha",
            addresses: ["127.0.0.1:8002", "[::1]:8002"],
            uptimeMilliseconds: 1500,
            members: 3,
            peers: .init(known: 3, up: 2),
            records: .init(count: state.withLock { $0.values.count }, bytes: 400),
            buckets: [.init(index: 0, count: 1), .init(index: 5, count: 2)],
            rejected: ["sender": 4, "header": 0],
            counters: ["sent": 9],
            suspects: state.withLock { $0.suspects }
        )
    }

    func peers() async throws(Failure) -> PeersReply {
        try check()
        return PeersReply(peers: [
            .init(
                id: "dht1b",
                name: "beta",
                address: "10.0.0.2:4100",
                state: "good",
                roundTripMilliseconds: 0.25
            ),
            .init(id: "dht1c", name: nil, address: nil, state: "unknown", roundTripMilliseconds: nil),
        ])
    }

    func routes() async throws(Failure) -> RoutesReply {
        try check()
        return RoutesReply(nodeID: String(repeating: "1a", count: 20), buckets: [])
    }

    func trace(_ key: [UInt8]) async throws(Failure) -> TraceReply {
        try check()
        return TraceReply(key: Octets(key), location: String(repeating: "2b", count: 20), hops: [], found: [])
    }

    func doctor() async throws(Failure) -> DoctorReply {
        try check()
        return DoctorReply(findings: [])
    }

    func why(_ peer: String) async throws(Failure) -> WhyReply {
        try check()
        return WhyReply(
            id: peer,
            name: nil,
            answers: true,
            here: .init(state: "good", lastAnswered: 1, roundTripMilliseconds: 0.5)
        )
    }

    func rejections(from number: UInt64) async throws(Failure) -> RejectionsReply {
        try check()
        return RejectionsReply(rejections: [])
    }

    func log(from number: UInt64) async throws(Failure) -> LogReply {
        try check()
        return LogReply(lines: [])
    }

    func get(_ key: [UInt8], _ query: GetQuery) async throws(Failure) -> GetReply {
        state.withLock { $0.gets.append(query) }
        try check()
        do { try await Task.sleep(for: state.withLock { $0.pause }) } catch {
            state.withLock { $0.cancelled += 1 }
        }
        guard let value = state.withLock({ $0.values[key] }) else {
            throw Failure(.notFound, "\(displayText(key)): not found (asked 3 of 3 closest nodes)")
        }
        return GetReply(
            key: Octets(key),
            values: [
                ValueReply(
                    value: Octets(value),
                    author: .init(id: Self.id, name: "alpha"),
                    revision: 117_324_213_452_374_017,
                    expires: 1_795_000_000,
                    copies: .init(found: 3)
                )
            ],
            answered: 3,
            asked: 3
        )
    }

    func put(_ key: [UInt8], _ value: [UInt8], _ query: PutQuery) async throws(Failure) -> PutReply {
        state.withLock { $0.puts.append(query) }
        try check()
        state.withLock { $0.values[key] = value }
        return reply(key)
    }

    func delete(_ key: [UInt8]) async throws(Failure) -> DeleteReply {
        try check()
        guard state.withLock({ $0.values.removeValue(forKey: key) }) != nil else {
            throw Failure(.notFound, "\(displayText(key)): not found")
        }
        return reply(key)
    }

    func transfers() async throws(Failure) -> TransfersReply {
        try check()
        return TransfersReply(transfers: [
            .init(key: Octets([0xFF]), direction: "sending", done: 7, total: 100)
        ])
    }

    func kept() async throws(Failure) -> KeptReply {
        try check()
        return KeptReply(values: [
            .init(key: Octets(Array("a".utf8)), revision: 117_324_213_452_374_017, lifetime: 60)
        ])
    }

    func ping(_ peer: String) async throws(Failure) -> PingReply {
        state.withLock { $0.pings.append(peer) }
        try check()
        return PingReply(id: "dht1b", name: peer, roundTripMilliseconds: 0.153)
    }

    func reload(force: Bool) async throws(Failure) -> ReloadReply {
        try check()
        return ReloadReply(members: 3)
    }

    func members() async throws(Failure) -> MembersReply {
        try check()
        return MembersReply(
            serial: 8,
            signed: 1_790_942_400,
            administrators: ["dht1r"],
            members: [
                .init(id: "dht1b", name: "beta", state: "good", serial: 8, write: true),
                .init(id: "dht1c", name: "gamma", state: "unknown", serial: nil, write: false),
            ]
        )
    }

    func admit(
        _ identity: String,
        name: String,
        addresses: [String]
    ) async throws(Failure) -> SpreadReply {
        try check()
        return SpreadReply(
            serial: 9,
            members: .init(reached: 2, total: 3),
            seconds: 0.25,
            behind: [name] + addresses,
            absent: [identity]
        )
    }

    func revoke(_ member: String) async throws(Failure) -> SpreadReply {
        try check()
        return SpreadReply(serial: 10, members: .init(reached: 2, total: 2), seconds: 0.06, absent: [member])
    }

    func invite(
        _ name: String,
        seconds: UInt32,
        addresses: [String]
    ) async throws(Failure) -> InviteReply {
        try check()
        return InviteReply(invitation: "dht-join1" + addresses.joined(), name: name, seconds: seconds)
    }

    func roster() async throws(Failure) -> RosterReply {
        try check()
        return RosterReply(serial: 8, signed: 1_790_942_400, administrator: "dht1r", roster: "@roster\n")
    }

    func push(_ roster: [UInt8]) async throws(Failure) -> SpreadReply {
        try check()
        return SpreadReply(
            serial: UInt64(roster.count),
            members: .init(reached: 1, total: 1),
            seconds: 0
        )
    }

    func stop() async throws(Failure) -> StopReply {
        try check()
        state.withLock { $0.stops += 1 }
        return StopReply()
    }

    private func reply(_ key: [UInt8]) -> PutReply {
        PutReply(
            key: Octets(key),
            revision: 117_324_213_452_374_017,
            expires: 1_795_000_000,
            copies: .init(stored: 3, target: 4),
            replicas: [.init(id: "dht1b", outcome: "stored"), .init(id: "dht1c", outcome: "timeout")],
            hiddenBy: state.withLock { $0.hider },
            unreached: state.withLock { $0.unreached }
        )
    }
}
