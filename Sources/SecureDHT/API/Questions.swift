import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage
import FoundationEssentials

// Questions that a node answers about itself and about its peers.

extension DHTNode {
    /// The round-trip time to a peer; `nil` if it did not answer.
    ///
    /// - Parameters:
    ///   - peer: A member, or any identity where all holders of the network key are admitted.
    ///   - timeout: As ``GetOptions/timeout``; by itself a ping ends within seconds.
    /// - Throws: ``DHTError``: `denied` if the peer is on no list of this node, `invalidArgument` if it is
    ///   this node, `timedOut`, `stopped`. `CancellationError` if the task is cancelled.
    public func ping(_ peer: Identity, timeout: Duration? = nil) async throws -> Duration? {
        guard peer != identity else { throw DHTError(.invalidArgument, "that is this node itself") }
        if let list = board.list, list.member(peer) == nil {
            throw DHTError(.denied, "\(peer.text) is not on the allowlist, so nothing is sent to it")
        }
        guard case .pinged(let roundTrip) = try await perform(.ping(peer), until: deadline(after: timeout))
        else { throw unexpected }
        return roundTrip.map { .nanoseconds($0.nanoseconds) }
    }

    /// The state and the counters of the node at this moment.
    public func status() async -> NodeStatus {
        status(await loop.knowledge, await loop.databaseSize)
    }

    /// Members of the allowlist and contacts of the routing table, by name, then identity.
    public func peers() async -> [PeerStatus] { peers(await loop.knowledge) }

    /// Both, of one moment.
    package func survey() async -> (status: NodeStatus, peers: [PeerStatus]) {
        let (knowledge, size) = (await loop.knowledge, await loop.databaseSize)
        return (status(knowledge, size), peers(knowledge))
    }

    private func status(_ knowledge: NodeSnapshot, _ size: DatabaseSize?) -> NodeStatus {
        let table = knowledge.table
        let more: [NodeStatus.Counter] = [
            .init(name: "unroutable", count: knowledge.unroutable),
            .init(name: "equivocations", count: knowledge.equivocations),
            .init(name: "under_replicated", count: UInt64(knowledge.underReplicated)),
        ]
        let unsent = knowledge.refusals.counters.map { NodeStatus.Counter(name: $0.name, count: $0.count) }
        return NodeStatus(
            identity: identity,
            nodeID: knowledge.id,
            name: name,
            addresses: addresses,
            buckets: table.bounds.map { .init(index: $0.bucket, count: $0.count) },
            members: memberCount,
            peersKnown: table.count,
            peersUp: table.contacts.count { $0.reachability.grade == .good },
            records: knowledge.records,
            recordBytes: knowledge.recordBytes,
            store: .init(
                live: knowledge.recordBytes,
                onDisk: size?.onDisk,
                free: size?.free,
                limit: knowledge.byteLimit
            ),
            rejected: knowledge.rejected,
            counters: knowledge.counters.named.map { .init(name: $0.name, count: $0.count) } + more + unsent,
            rpcs: knowledge.figures.rpcs,
            suspects: knowledge.suspects,
            storeProblem: knowledge.storeProblem,
            complaints: knowledge.complaints,
            knocking: knowledge.knocking,
            network: network,
            kept: knowledge.kept,
            uptime: .milliseconds(knowledge.uptime),
            roster: knowledge.roster
        )
    }

    /// The last datagrams that were turned away, 256 at most, from this number on; the oldest first.
    public func rejections(from number: UInt64 = 0) async -> [RejectedDatagram] {
        await loop.desk.rejections.from(number)
    }

    /// Places of the key space of which records are kept here, the nearest to this node first.
    package func keptPlaces(limit: Int) async -> [NodeID] { await loop.keptPlaces(limit: limit) }

    private var memberCount: Int? {
        guard let list = board.list else { return nil }
        return list.members.count { $0.identity != identity }
    }

    private func peers(_ knowledge: NodeSnapshot) -> [PeerStatus] {
        var names: [Identity: String] = [:]
        if let list = board.list {
            for member in list.members where member.identity != identity {
                names[member.identity] = member.name
            }
        }
        let listed = Dictionary(
            knowledge.seeds.compactMap { seed in seed.address.numeric.map { (seed.identity, $0) } },
            uniquingKeysWith: { first, _ in first }
        )
        let contacts = knowledge.table.contacts.map { entry in
            PeerStatus(
                identity: entry.contact.identity,
                name: names[entry.contact.identity],
                address: entry.contact.endpoint,
                state: .init(entry.reachability.grade),
                roundTrip: knowledge.roundTrips[entry.contact.identity].map { .microseconds($0) },
                lastAnswered: knowledge.answered[entry.contact.identity],
                listedAddress: listed[entry.contact.identity],
                clockDifference: knowledge.views[entry.contact.identity].map {
                    .milliseconds($0.clockDifference)
                },
                view: knowledge.views[entry.contact.identity].map(PeerStatus.View.init),
                rosterSerial: knowledge.words[entry.contact.identity]?.mark.serial,
                rosterSince: knowledge.words[entry.contact.identity]?.since
            )
        }
        let known = Set(contacts.map(\.identity))
        let unknown = names.filter { !known.contains($0.key) }.map { identity, name in
            PeerStatus(
                identity: identity,
                name: name,
                address: listed[identity],
                state: .unknown,
                roundTrip: nil,
                lastAnswered: knowledge.answered[identity],
                listedAddress: listed[identity]
            )
        }
        return (contacts + unknown).sorted { ($0.name ?? "", $0.identity) < ($1.name ?? "", $1.identity) }
    }
}

extension CallFigures {
    fileprivate var rpcs: [NodeStatus.RPC] {
        let limits = Self.bounds.map { Optional(Duration.nanoseconds($0.nanoseconds)) } + [nil]
        return OperationCode.allCases.map { operation in
            let answered = zip(buckets(operation, .answered), buckets(operation, .repeated)).map { $0 + $1 }
            return NodeStatus.RPC(
                operation: operation.name,
                outbound: outbound(operation),
                inbound: inbound(operation),
                answered: answered.reduce(0, +),
                timedOut: buckets(operation, .timeout).reduce(0, +),
                durations: zip(limits, answered).map { .init(limit: $0, count: $1) }
            )
        }
    }
}

extension PeerStatus.View {
    init(_ view: PeerView) {
        let now = SystemClock.now
        let age = now.instant.since(view.taken)
        let taken = now.unixMilliseconds -| age.milliseconds
        self.init(
            state: view.state.map(PeerStatus.State.init) ?? .unknown,
            lastAnswered: view.lastAnswered.map { Date(unixMilliseconds: taken -| $0.milliseconds) },
            roundTrip: view.roundTrip.map { .nanoseconds($0.nanoseconds) },
            taken: Date(unixMilliseconds: taken)
        )
    }
}
