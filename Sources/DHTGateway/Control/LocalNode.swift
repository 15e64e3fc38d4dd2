import DHTCore
import DHTCrypto
import FoundationEssentials
import SecureDHT
import Synchronization

/// The lists and the roster in the files that a node is started with.
package struct AdmissionFiles: Sendable {
    package let list: Allowlist
    /// `nil`: none of the files is one.
    package let roster: Roster?

    package init(_ list: Allowlist, roster: Roster? = nil) { (self.list, self.roster) = (list, roster) }
}

/// A node of this process as its control socket and its shell see it.
package final class LocalNode: NodeControl {
    let node: DHTNode
    /// Where its records are; `nil` if they are in memory.
    let directory: String?
    let recentLog: RecentLog
    private let name: String?
    private let rereadMembers: @Sendable () throws(Failure) -> AdmissionFiles
    private let onStop: @Sendable () -> Void
    /// The list in the node's own files; `nil` in open mode.
    private let ownList: Mutex<Allowlist?>
    /// The copy of the database that is being made.
    let backup = Mutex<TransfersReply.Copy?>(nil)

    /// - Parameters:
    ///   - members: The allowlist that the node was started with; `nil` in open mode.
    ///   - rereadMembers: Reads the same files again; not called in open mode.
    ///   - onStop: Called when somebody asks the node to stop. It must return at once.
    package init(
        _ node: DHTNode,
        name: String?,
        members: Allowlist?,
        directory: String? = nil,
        log: RecentLog = RecentLog(),
        rereadMembers: @escaping @Sendable () throws(Failure) -> AdmissionFiles,
        onStop: @escaping @Sendable () -> Void
    ) {
        self.node = node
        self.name = name
        self.directory = directory
        recentLog = log
        ownList = Mutex(members)
        self.rereadMembers = rereadMembers
        self.onStop = onStop
    }

    package func identity() async throws(Failure) -> IdentityReply {
        IdentityReply(id: node.identity.text, nodeID: "\(node.identity.nodeID)", name: name)
    }

    package func status() async throws(Failure) -> StatusReply {
        let survey = await node.survey()
        return StatusReply(survey.status, findings(survey))
    }

    package func peers() async throws(Failure) -> PeersReply {
        PeersReply(
            peers: await node.peers().map {
                .init(
                    id: $0.identity.text,
                    name: $0.name,
                    address: $0.address.map { "\($0)" },
                    state: $0.state.rawValue,
                    roundTripMilliseconds: $0.roundTrip?.inMilliseconds,
                    lastAnswered: $0.lastAnswered?.unixSeconds,
                    why: $0.reason
                )
            }
        )
    }

    package func get(_ key: [UInt8], _ query: GetQuery) async throws(Failure) -> GetReply {
        try await open(key, query).whole()
    }

    package func open(_ key: [UInt8], _ query: GetQuery) async throws(Failure) -> OpenedReply {
        try ValueLimits.check(key: key)
        var options = GetOptions()
        if let author = query.author { options.author = try resolve(author) }
        if let replicas = query.replicas {
            try ValueLimits.check(copies: replicas, for: "--replicas")
            options.replicas = replicas
        }
        if let paths = query.paths {
            try ValueLimits.check(paths: paths, for: "--paths")
            options.paths = paths
        }
        let result: OpenedResult
        do { result = try await node.open(key, options: options, isExhaustive: query.all) } catch {
            throw Failure(error)
        }
        guard !result.values.isEmpty else {
            let ahead = result.secondsAhead.map {
                ". What was written there is \($0) s ahead of this node's clock. Check: timedatectl"
            }
            throw Failure(
                .notFound,
                "\(displayText(key)): not found (asked \(result.answered) of \(result.asked) closest nodes)"
                    + (ahead ?? "")
            )
        }
        let reply = GetReply(
            key: Octets(key),
            values: result.values.map {
                ValueReply(
                    value: Octets([]),
                    author: .init(id: $0.author.text, name: memberName($0.author)),
                    revision: $0.revision.rawValue,
                    expires: $0.expires / 1000,
                    copies: .init(found: $0.copies)
                )
            },
            answered: result.answered,
            asked: result.asked,
            isIsolated: result.isIsolated
        )
        return OpenedReply(reply, result.values.map { ValueSource($0.reader) })
    }

    package func takeTurn(of key: [UInt8]) async -> WriteTurn? { await node.takeTurn(of: key) }
    package func giveUp(_ turn: WriteTurn) { node.giveUp(turn) }

    package func put(_ key: [UInt8], _ value: [UInt8], _ query: PutQuery) async throws(Failure) -> PutReply {
        try await put(key, from: value, query)
    }

    package func put(
        _ key: [UInt8],
        from value: any ContentBytes,
        _ query: PutQuery
    ) async throws(Failure) -> PutReply {
        try ValueLimits.check(key: key)
        try ValueLimits.check(valueLength: value.count)
        var options = PutOptions()
        if let lifetime = query.lifetime { options.lifetime = .seconds(lifetime) }
        if let copies = query.minimumCopies {
            try ValueLimits.check(copies: copies, for: "--min-copies")
            options.minimumCopies = copies
        }
        (options.isKept, options.turn) = (query.isKept, query.turn)
        switch query.condition {
        case nil: break
        case .absent: options.condition = .absent
        case .revision(let revision): options.condition = .revision(Revision(rawValue: revision))
        }
        do { return reply(key, try await node.put(value, at: key, options: options)) } catch {
            throw Failure(error)
        }
    }

    package func delete(_ key: [UInt8]) async throws(Failure) -> DeleteReply {
        try ValueLimits.check(key: key)
        let receipt: PutReceipt?
        do { receipt = try await node.delete(key) } catch { throw Failure(error) }
        guard let receipt else {
            throw Failure(
                .notFound,
                "\(displayText(key)): not found: this node's identity has no value there"
            )
        }
        return reply(key, receipt)
    }

    package func transfers() async throws(Failure) -> TransfersReply {
        TransfersReply(
            transfers: await node.transfers().map {
                .init(
                    key: Octets($0.key),
                    direction: $0.direction.rawValue,
                    done: $0.done,
                    total: $0.total
                )
            },
            backup: backup.withLock { $0 }
        )
    }

    package func kept() async throws(Failure) -> KeptReply {
        KeptReply(
            values: await node.keptValues().map { kept in
                var value = KeptReply.Value(
                    key: Octets(kept.key),
                    revision: kept.revision.rawValue,
                    lifetime: UInt32(clamping: kept.lifetime.components.seconds),
                    renewed: kept.revision.unixMilliseconds / 1000
                )
                switch kept.state {
                case .kept: (value.state, value.failures) = ("kept", 0)
                case .failing(let times): (value.state, value.failures) = ("failing", times)
                case .ended: value.state = "ended"
                case .superseded(let author):
                    value.state = "superseded"
                    value.supersededBy = .init(id: author.text, name: memberName(author))
                }
                return value
            }
        )
    }

    package func ping(_ peer: String) async throws(Failure) -> PingReply {
        let identity = try resolve(peer)
        let roundTrip: Duration?
        do { roundTrip = try await node.ping(identity) } catch { throw Failure(error) }
        guard let roundTrip else {
            throw Failure(.unreachable, "\(memberName(identity) ?? identity.text) does not answer")
        }
        return PingReply(
            id: identity.text,
            name: memberName(identity),
            roundTripMilliseconds: roundTrip.inMilliseconds
        )
    }

    package func reload(force: Bool) async throws(Failure) -> ReloadReply {
        guard let old = ownList.withLock({ $0 }) else { return ReloadReply(members: nil) }
        let files = try rereadMembers()
        let list = files.list
        guard !list.members.isEmpty || old.members.isEmpty || node.roster != nil || force else {
            throw Failure(
                .configuration,
                "the list is empty: nobody would be admitted any more; nothing was changed. "
                    + "If that is meant: dht reload --force"
            )
        }
        let before = self.list ?? old
        await node.replaceAdmission(.members(list))
        ownList.withLock { $0 = list }
        try await take(files.roster)
        // Lists and roster together count.
        let after = self.list ?? list
        var reply = ReloadReply(members: after.members.count)
        reply.added = after.members.filter { !before.holds($0.identity) }.map(\.name)
        reply.removed = before.members.filter { !after.holds($0.identity) }.map(\.name)
        reply.digest = after.digest
        reply.isListed = after.holds(node.identity)
        return reply
    }

    /// The roster among the files has a say if it is newer than the one that counts.
    private func take(_ roster: Roster?) async throws(Failure) {
        guard let roster, roster.serial > node.roster?.serial ?? 0 else { return }
        do { try await node.publish(roster) } catch {
            throw Failure(
                Failure.Code(error.code),
                "the lists count as they are now, but not their roster \(roster.serial): \(error.reason)"
            )
        }
    }

    package func stop() async throws(Failure) -> StopReply {
        onStop()
        return StopReply()
    }

    private func reply(_ key: [UInt8], _ receipt: PutReceipt) -> PutReply {
        PutReply(
            key: Octets(key),
            revision: receipt.revision.rawValue,
            expires: receipt.expires.unixSeconds,
            copies: .init(stored: receipt.stored, target: receipt.target),
            replicas: receipt.replicas.map { .init(id: $0.identity.text, outcome: $0.verdict.rawValue) },
            hiddenBy: receipt.hiddenBy.map { .init(id: $0.text, name: memberName($0)) },
            unreached: receipt.unreached.map { $0 == .ipv4 ? "ipv4" : "ipv6" }
        )
    }

    /// The members that count, by files and roster; `nil` in open mode.
    var list: Allowlist? { node.admission.list }

    func memberName(_ identity: Identity) -> String? {
        if identity == node.identity, let name { return name }
        return list?.member(identity)?.name
    }

    /// The identity somebody means by its text, or by a member's name.
    func resolve(_ peer: String) throws(Failure) -> Identity {
        if let member = list?.members.first(where: { $0.name == peer }) { return member.identity }
        if let name, name == peer { return node.identity }
        do { return try Identity(text: peer) } catch {
            guard !peer.lowercased().hasPrefix("dht") else { throw Failure(.invalidArgument, "\(error)") }
            let names = list?.members.map(\.name) ?? []
            throw Failure(
                .invalidArgument,
                "\(displayText(Array(peer.utf8))) is neither an identity nor the name of a member"
                    + Suggestion.hint(for: peer, among: names)
            )
        }
    }
}

extension ValueSource {
    fileprivate init(_ reader: ValueReader) {
        self.init(length: reader.length) { [weak reader] in
            reader?.cancel()
        } next: { () throws(Failure) in
            do { return try await reader.next() } catch { throw Failure(error) }
        }
    }
}
