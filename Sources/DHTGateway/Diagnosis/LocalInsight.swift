import DHTCore
import FoundationEssentials
import SecureDHT

// Questions for reasons, answered by a node of this process.

extension LocalNode {
    /// Members that are asked at the same time.
    private static let parallelism = 256
    /// A member that has not answered by then does not.
    private static let patience = Duration.seconds(4)
    /// Silent members of which others are asked.
    private static let inquiries = 16

    package func routes() async throws(Failure) -> RoutesReply {
        let survey = await node.survey()
        var buckets: [Int: [RoutesReply.Contact]] = [:]
        for peer in survey.peers where peer.state != .unknown {
            let id = peer.identity.nodeID
            buckets[id.commonPrefixLength(with: survey.status.nodeID), default: []].append(
                .init(
                    id: peer.identity.text,
                    nodeID: "\(id)",
                    name: peer.name,
                    address: peer.address.map { "\($0)" },
                    state: peer.state.rawValue,
                    roundTripMilliseconds: peer.roundTrip.map(\.inMilliseconds)
                )
            )
        }
        return RoutesReply(
            nodeID: "\(survey.status.nodeID)",
            buckets: buckets.sorted { $0.key < $1.key }.map { .init(index: $0.key, contacts: $0.value) }
        )
    }

    package func trace(_ key: [UInt8]) async throws(Failure) -> TraceReply {
        try ValueLimits.check(key: key)
        let trace: KeyTrace
        do { trace = try await node.trace(key) } catch { throw Failure(error) }
        return TraceReply(
            key: Octets(key),
            location: "\(trace.location)",
            hops: trace.hops.map { hop in
                .init(
                    id: hop.identity.text,
                    name: hop.name,
                    address: "\(hop.address)",
                    asked: hop.asked.inMilliseconds,
                    answered: hop.answered.map(\.inMilliseconds),
                    outcome: hop.outcome.rawValue,
                    records: hop.records,
                    named: hop.named.map { memberName($0) ?? $0.text }
                )
            },
            found: trace.found.map {
                .init(
                    author: memberName($0.author) ?? $0.author.text,
                    revision: $0.revision.rawValue,
                    copies: $0.copies,
                    deleted: $0.isTombstone
                )
            }
        )
    }

    package func doctor() async throws(Failure) -> DoctorReply {
        let probes = await probe(await node.peers().map(\.identity))
        // After that: the answers told of clocks and addresses.
        let survey = await node.survey()
        let diagnosis = Diagnosis(
            status: survey.status,
            peers: survey.peers,
            probes: probes,
            host: .current(directory: directory, ports: survey.status.addresses.map(\.port)),
            isListed: isListed
        )
        return DoctorReply(findings: diagnosis.findings)
    }

    package func why(_ peer: String) async throws(Failure) -> WhyReply {
        let identity = try resolve(peer)
        let probe = await probe([identity])[identity] ?? Diagnosis.Probe()
        let (status, peers) = await node.survey()
        guard let known = peers.first(where: { $0.identity == identity }) else {
            throw Failure(.denied, "\(identity.text) is not on the list here, so nothing is sent to it")
        }
        var reply = WhyReply(
            id: identity.text,
            name: known.name,
            answers: probe.roundTrip != nil,
            here: .init(
                state: known.state.rawValue,
                lastAnswered: known.lastAnswered?.unixSeconds,
                roundTripMilliseconds: known.roundTrip.map(\.inMilliseconds)
            )
        )
        reply.address = known.address.map { "\($0)" }
        reply.listedAddress = known.listedAddress.map { "\($0)" }
        reply.there = known.view.map {
            .init(
                state: $0.state.rawValue,
                lastAnswered: $0.lastAnswered?.unixSeconds,
                roundTripMilliseconds: $0.roundTrip.map(\.inMilliseconds)
            )
        }
        reply.clockDifference = known.clockDifference.map { Int64($0 / .milliseconds(1)) }
        reply.witnesses = probe.witnesses
        // That others answer makes the silence of this one its own.
        var probes = [identity: probe]
        if status.peersUp > 0 { probes[node.identity] = Diagnosis.Probe(roundTrip: .zero) }
        let name = known.name ?? identity.text
        reply.findings = Diagnosis(status: status, peers: [known], probes: probes).findings
            .filter {
                $0.peer == name || $0.peer == identity.text || $0.code == .isolated || $0.code == .noRoute
            }
        return reply
    }

    package func rejections(from number: UInt64) async throws(Failure) -> RejectionsReply {
        RejectionsReply(
            rejections: await node.rejections(from: number).map {
                .init(
                    number: $0.number,
                    time: $0.time.unixMilliseconds,
                    reason: $0.reason.rawValue,
                    source: "\($0.source)"
                )
            }
        )
    }

    package func log(from number: UInt64) async throws(Failure) -> LogReply {
        LogReply(lines: recentLog.lines(from: number))
    }

    /// Troubles that can be seen without asking anybody.
    func findings(_ survey: (status: NodeStatus, peers: [PeerStatus])) -> [Finding] {
        Diagnosis(status: survey.status, peers: survey.peers, isListed: isListed).findings
    }

    private var isListed: Bool? { list?.holds(node.identity) }

    /// Asks each for a sign of life; and of those that give none, asks others.
    private func probe(_ peers: [Identity]) async -> [Identity: Diagnosis.Probe] {
        let node = node
        var probes = await each(peers) { peer in
            Diagnosis.Probe(roundTrip: try? await node.ping(peer, timeout: Self.patience))
        }
        // A node that is cut off from all can ask nobody.
        guard probes.values.contains(where: { $0.roundTrip != nil }) || peers.count == 1 else {
            return probes
        }
        let silent = peers.filter { probes[$0]?.roundTrip == nil }.prefix(Self.inquiries)
        let witnesses = await each(silent) { peer in
            let trace = try? await node.trace(towards: peer.nodeID, timeout: Self.patience)
            return (trace?.hops ?? []).filter { $0.named.contains(peer) }.map { $0.name ?? $0.identity.text }
        }
        for (peer, names) in witnesses { probes[peer]?.witnesses = names }
        return probes
    }

    /// The outcome of each, so many at the same time.
    private func each<Outcome: Sendable>(
        _ peers: some Collection<Identity>,
        _ body: @escaping @Sendable (Identity) async -> Outcome
    ) async -> [Identity: Outcome] {
        await withTaskGroup { (group: inout TaskGroup<(Identity, Outcome)>) in
            var rest = Array(peers)[...]
            var outcomes: [Identity: Outcome] = [:]
            for peer in rest.prefix(Self.parallelism) { group.addTask { (peer, await body(peer)) } }
            rest = rest.dropFirst(Self.parallelism)
            for await (peer, outcome) in group {
                outcomes[peer] = outcome
                if let next = rest.popFirst() { group.addTask { (next, await body(next)) } }
            }
            return outcomes
        }
    }
}

extension PeerStatus {
    /// Why it is in this state; `nil` if that is good.
    var reason: String? {
        let since = lastAnswered.map { " since \(TimeText.ofDay($0.unixSeconds))" } ?? ""
        return switch state {
        case .good: nil
        case .questionable: "missed its last request; asked again soon"
        case .bad: "not answering\(since); it may not list us, or is down"
        case .unknown:
            address == nil
                ? "never heard from, and no address known: give addr= in the list"
                : lastAnswered == nil
                    ? "never answered; it may not list us, or is down" : "not answering\(since)"
        }
    }
}
