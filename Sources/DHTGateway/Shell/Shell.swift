/// The interactive shell: a line in, lines out. Where the lines come from and go to is the caller's business.
package struct Shell: Sendable {
    /// The result of a line.
    package struct Answer: Hashable, Sendable {
        /// Without line ends; empty for an empty line.
        package var lines: [String]
        /// Whether the shell ends here.
        package var ends: Bool

        package init(_ lines: [String], ends: Bool = false) { (self.lines, self.ends) = (lines, ends) }
    }

    package static let prompt = "> "
    /// Said at the end, whether it was asked for or the input ran out.
    package static let farewell = "Goodbye!"

    private let node: any NodeControl

    package init(_ node: any NodeControl) { self.node = node }

    package func answer(_ line: some Sequence<UInt8> & Sendable) async -> Answer {
        do throws(ShellCommand.Mistake) {
            guard let command = try ShellCommand.parse(line) else { return Answer([]) }
            return await answer(command)
        } catch {
            return Answer(["Error: \(error.reason)"])
        }
    }

    package func answer(_ command: ShellCommand) async -> Answer {
        do throws(Failure) {
            switch command {
            case .put(let key, let value):
                let reply = try await node.put(key, value, PutQuery())
                return Answer([ShellText.stored(reply)] + ShellText.reservations(reply))
            case .get(let key):
                let reply = try await node.get(key, GetQuery())
                guard let newest = reply.values.first else { return Answer([ShellText.notFound(key)]) }
                return Answer(["Value: \(displayText(newest.value.bytes))"])
            case .delete(let key):
                let reply = try await node.delete(key)
                return Answer([ShellText.deleted(reply)])
            case .status:
                return Answer(ShellText.status(try await node.status()))
            case .peers:
                return Answer(ShellText.peers(try await node.peers()))
            case .identity:
                return Answer([try await node.identity().id])
            case .ping(let peer):
                return Answer([ShellText.answered(try await node.ping(peer))])
            case .why(let peer):
                return Answer(InsightText.why(try await node.why(peer)))
            case .help:
                return Answer(ShellText.help)
            case .quit:
                return Answer([Self.farewell], ends: true)
            }
        } catch {
            if error.code == .notFound, case .get(let key) = command {
                return Answer([ShellText.notFound(key)])
            }
            if error.code == .notFound, case .delete(let key) = command {
                return Answer([ShellText.notFound(key)])
            }
            return Answer(["Error: \(error.message)"])
        }
    }
}

/// The words of answers, shared by the shell and the command line. The forms are fixed: `docs/cli.md`.
package enum ShellText {
    package static func stored(_ reply: PutReply) -> String {
        "Stored key '\(displayText(reply.key.bytes))' at \(reply.copies.stored) nodes"
    }

    /// Said besides of a value that readers do not see.
    /// Why others may not see what was stored.
    package static func reservations(_ reply: PutReply) -> [String] {
        [hidden(reply), unreached(reply)].compactMap(\.self)
    }

    /// Readers for whom the write does not count.
    package static func unreached(_ reply: PutReply) -> String? {
        guard !reply.unreached.isEmpty else { return nil }
        let families = reply.unreached.map { $0 == "ipv4" ? "IPv4" : "IPv6" }.joined(separator: " or ")
        return "members with \(families) addresses only may not see it yet: too few of the nodes they ask "
            + "took it; it goes on trying. See: dht status"
    }

    package static func hidden(_ reply: PutReply) -> String? {
        reply.hiddenBy.map { "hidden by a newer value of \($0.name ?? $0.id)" }
    }

    package static func deleted(_ reply: DeleteReply) -> String {
        "Deleted key '\(displayText(reply.key.bytes))' at \(reply.copies.stored) nodes"
    }

    /// `KEY  REVISION  60 s  renewed 2026-11-24T17:06:00Z`, and what is wrong.
    ///
    /// - Parameter renewed: When it was last written, in words.
    package static func kept(_ value: KeptReply.Value, renewed: String?) -> String {
        var text = "\(displayText(value.key.bytes))  \(value.revision)  \(value.lifetime) s"
        if let renewed { text += "  renewed \(renewed)" }
        switch value.state {
        case "failing": text += "  not renewed: failed \(value.failures ?? 1) times"
        case "superseded":
            let author = value.supersededBy.map { $0.name ?? $0.id } ?? "somebody"
            text += "  kept no more: newer value of \(author)"
        case "ended": text += "  kept no more: ended before it could be renewed"
        default: break
        }
        return text
    }

    /// `beta answered in 0.153 ms`
    package static func answered(_ reply: PingReply) -> String {
        "\(reply.name ?? reply.id) answered in \(milliseconds(reply.roundTripMilliseconds))"
    }

    package static func notFound(_ key: [UInt8]) -> String { "Key '\(displayText(key))' not found" }

    /// `withHealth`: not told before.
    package static func status(_ status: StatusReply, withHealth: Bool = true) -> [String] {
        var lines = [
            "=== Node Status ===",
            "Node ID: \(status.nodeID)",
            "Identity: \(status.id)",
            "Address: \(status.address)",
        ]
        if let network = status.network { lines.append("Network: \(network)") }
        if let version = status.version { lines.append("Version: \(version)") }
        if let roster = status.roster {
            let missing = roster.missing.map { ", others hold \($0)" } ?? ""
            lines.append("Roster: \(roster.serial)\(missing)")
        }
        lines += status.buckets.filter { $0.count > 0 }.map { "Bucket \($0.index): \($0.count) nodes" }
        lines += [
            "Total known nodes: \(status.peers.known)",
            "Stored keys: \(status.records.count)",
        ]
        if let store = status.store { lines.append(room(store)) }
        if let lost = status.counters["lost"], lost > 0 {
            lines.append("Lost on the disk: \(lost), brought again: \(status.counters["mended"] ?? 0)")
        }
        if let problem = status.storeProblem { lines.append("Store: nothing is kept: \(printable(problem))") }
        if let kept = status.kept, kept.failing + kept.stopped > 0 {
            lines.append(
                "Kept values: \(kept.count), of these not renewed: \(kept.failing), "
                    + "kept no more: \(kept.stopped); see dht ls --own"
            )
        }
        if withHealth { lines += trouble(status) }
        return lines + status.suspects.map(suspect) + status.knocking.map(knocker) + ["=================="]
    }

    /// `Health: ok`, or what is wrong and what to do next.
    package static func health(_ status: StatusReply) -> [String] {
        let trouble = trouble(status)
        return trouble.isEmpty ? ["Health: ok"] : trouble
    }

    private static func trouble(_ status: StatusReply) -> [String] {
        let kind = status.health.ok ? "Note" : "Not well"
        guard let findings = status.health.findings else {
            return status.health.reasons.map { "\(kind): \(printable($0))" }
        }
        return InsightText.findings(findings, as: kind)
    }

    /// `Store: 83.1 of 512.0 MiB; on disk 90.2 MiB, of these free: 1.0 MiB`
    private static func room(_ store: StatusReply.Store) -> String {
        let text = "Store: \(mebibytes(store.live)) of \(mebibytes(store.limit)) MiB"
        guard let disk = store.disk else { return text }
        return text + "; on disk \(mebibytes(disk)) MiB, of these free: \(mebibytes(store.free ?? 0)) MiB"
    }

    private static func mebibytes(_ bytes: Int) -> String {
        let tenths = (bytes * 10 + (1 << 19)) >> 20
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// `suspect: beta: broken-content, 12 times, last 14:03:22`, the time of day being UTC's.
    private static func suspect(_ suspect: StatusReply.Suspect) -> String {
        "suspect: \(suspect.name ?? suspect.id): \(suspect.offence), \(often(suspect.count, suspect.last))"
    }

    /// `not on the list: dht1… at 10.0.0.7:4100: 12 times, last 14:03:22`
    private static func knocker(_ knocker: StatusReply.Knocker) -> String {
        "not on the list: \(knocker.id) at \(knocker.address): \(often(knocker.count, knocker.last))"
    }

    private static func often(_ count: UInt64, _ last: UInt64) -> String {
        (count == 1 ? "once" : "\(count) times") + ", last \(TimeText.ofDay(last))"
    }

    package static func peers(_ reply: PeersReply) -> [String] {
        guard !reply.peers.isEmpty else { return ["No peers yet"] }
        let rows = reply.peers.map { peer in
            [
                peer.name ?? "-", peer.state, peer.address ?? "-",
                peer.roundTripMilliseconds.map(milliseconds) ?? "-",
                peer.id + (peer.why.map { "  \($0)" } ?? ""),
            ]
        }
        let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
                .joined(separator: "  ") + "  " + row[4]
        }
    }

    /// `0.153 ms`
    package static func milliseconds(_ value: Double) -> String {
        let microseconds = Int((value * 1000).rounded())
        let fraction = String(microseconds % 1000)
        return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
            + " ms"
    }

    package static let help = [
        "put KEY VALUE   stores a value; the value is the rest of the line",
        "get KEY         shows a value",
        "del KEY         deletes our value",
        "status          what the node knows of itself",
        "peers           what it knows of others",
        "id              its identity",
        "ping PEER       asks a peer for a sign of life",
        "why PEER        how this node and a peer see one another",
        "quit            ends",
        "A key with blanks is quoted: 'a b'",
    ]
}
