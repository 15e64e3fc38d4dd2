import DHTCore
import FoundationEssentials
import SecureDHT

// Questions for reasons, answered by a node of this process.

extension LocalNode {
    /// Members that are asked at the same time.
    private static let parallelism = 64
    /// A member that has not answered by then does not.
    private static let patience = Duration.seconds(4)
    /// Silent members of which others are asked.
    private static let inquiries = 16

    package func routes() async throws(Failure) -> RoutesReply {
        let status = await node.status()
        var buckets: [Int: [RoutesReply.Contact]] = [:]
        for peer in await node.peers() where peer.state != .unknown {
            let id = peer.identity.nodeID
            buckets[id.commonPrefixLength(with: status.nodeID), default: []].append(
                .init(
                    id: peer.identity.text,
                    nodeID: "\(id)",
                    name: peer.name,
                    address: peer.address.map { "\($0)" },
                    state: peer.state.rawValue,
                    roundTripMilliseconds: peer.roundTrip.map(milliseconds)
                )
            )
        }
        return RoutesReply(
            nodeID: "\(status.nodeID)",
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
                    asked: milliseconds(hop.asked),
                    answered: hop.answered.map(milliseconds),
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
        let status = await node.status()
        let diagnosis = Diagnosis(
            status: status,
            // Once more: the answers told of clocks and addresses.
            peers: await node.peers(),
            probes: probes,
            host: .current(directory: directory, ports: status.addresses.map(\.port)),
            isListed: isListed
        )
        return DoctorReply(findings: diagnosis.findings)
    }

    package func why(_ peer: String) async throws(Failure) -> WhyReply {
        let identity = try resolve(peer)
        let probe = await probe([identity])[identity] ?? Diagnosis.Probe()
        let status = await node.status()
        guard let known = await node.peers().first(where: { $0.identity == identity }) else {
            throw Failure(.denied, "\(identity.text) is not on the list here, so nothing is sent to it")
        }
        var reply = WhyReply(
            id: identity.text,
            name: known.name,
            answers: probe.roundTrip != nil,
            here: .init(
                state: known.state.rawValue,
                lastAnswered: known.lastAnswered?.unixSeconds,
                roundTripMilliseconds: known.roundTrip.map(milliseconds)
            )
        )
        reply.address = known.address.map { "\($0)" }
        reply.listedAddress = known.listedAddress.map { "\($0)" }
        reply.there = known.view.map {
            .init(
                state: $0.state.rawValue,
                lastAnswered: $0.lastAnswered?.unixSeconds,
                roundTripMilliseconds: $0.roundTrip.map(milliseconds)
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
    func findings(_ status: NodeStatus) async -> [Finding] {
        Diagnosis(status: status, peers: await node.peers(), isListed: isListed).findings
    }

    var isListed: Bool? { members.withLock { $0?.holds(node.identity) } }

    /// Asks each for a sign of life; and of those that give none, asks others.
    private func probe(_ peers: [Identity]) async -> [Identity: Diagnosis.Probe] {
        let node = node
        var probes: [Identity: Diagnosis.Probe] = [:]
        await withTaskGroup { (group: inout TaskGroup<(Identity, Duration?)>) in
            func ask(_ peer: Identity) {
                group.addTask { (peer, try? await node.ping(peer, timeout: Self.patience)) }
            }
            var rest = peers[...]
            for peer in rest.prefix(Self.parallelism) { ask(peer) }
            rest = rest.dropFirst(Self.parallelism)
            for await (peer, roundTrip) in group {
                probes[peer] = Diagnosis.Probe(roundTrip: roundTrip)
                if let next = rest.popFirst() { ask(next) }
            }
        }
        guard probes.values.contains(where: { $0.roundTrip != nil }) || peers.count == 1 else {
            return probes
        }
        for peer in peers.filter({ probes[$0]?.roundTrip == nil }).prefix(Self.inquiries) {
            guard let trace = try? await node.trace(towards: peer.nodeID, timeout: Self.patience) else {
                continue
            }
            probes[peer]?.witnesses = trace.hops.filter { $0.named.contains(peer) }
                .map { $0.name ?? $0.identity.text }
        }
        return probes
    }

    private func milliseconds(_ duration: Duration) -> Double { Double(duration.wholeMicroseconds) / 1000 }
}

extension PeerStatus {
    /// Why it is in this state; `nil` if that is good.
    var reason: String? {
        let since = lastAnswered.map { " since \(timeText($0))" } ?? ""
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
