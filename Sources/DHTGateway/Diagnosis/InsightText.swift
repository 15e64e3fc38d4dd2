/// The words of answers to questions for reasons.
package enum InsightText {
    /// Peers that a screen shows.
    private static let peersShown = 12

    // MARK: Findings

    /// A line for each, and what to do next under it.
    package static func findings(_ findings: [Finding], as kind: String? = nil) -> [String] {
        findings.flatMap { finding in
            [(kind.map { "\($0): " } ?? "") + "\(finding.code.rawValue): \(finding.text)"]
                + (finding.next.map { ["  next: \($0)"] } ?? [])
        }
    }

    // MARK: Routes and traces

    package static func routes(_ reply: RoutesReply) -> [String] {
        guard !reply.buckets.isEmpty else { return ["No contacts yet"] }
        return ["Node ID: \(reply.nodeID)"]
            + reply.buckets.flatMap { bucket in
                ["Bucket \(bucket.index): \(bucket.contacts.count) nodes"]
                    + bucket.contacts.map { contact in
                        let time =
                            contact.roundTripMilliseconds.map { "  " + ShellText.milliseconds($0) } ?? ""
                        return "  \(contact.nodeID)  \(contact.name ?? contact.id)  \(contact.state)  "
                            + "\(contact.address ?? "-")" + time
                    }
            }
    }

    /// `  1  beta  10.0.0.2:4100  at 0.2 ms, after 0.9 ms: has 1 record`
    package static func trace(_ reply: TraceReply) -> [String] {
        var lines = ["Key '\(displayText(reply.key.bytes))' is at \(reply.location)"]
        for (number, hop) in reply.hops.enumerated() {
            let time = hop.answered.map { "after " + ShellText.milliseconds($0 - hop.asked) } ?? "never"
            lines.append(
                "\(number + 1). \(hop.name ?? hop.id)  \(hop.address)  asked at "
                    + "\(ShellText.milliseconds(hop.asked)), answered \(time): \(outcome(hop))"
            )
        }
        lines += reply.found.map { found in
            (found.deleted ? "Deleted" : "Found") + ": of \(found.author), revision \(found.revision), "
                + "\(found.copies) copies"
        }
        if reply.found.isEmpty { lines.append("Found: nothing") }
        return lines
    }

    private static func outcome(_ hop: TraceReply.Hop) -> String {
        switch hop.outcome {
        case "value": hop.records == 1 ? "has 1 record" : "has \(hop.records) records"
        case "closer":
            hop.named.isEmpty
                ? "has none, names nobody" : "has none, names \(hop.named.joined(separator: ", "))"
        case "timeout": "no answer"
        case "pending": "no answer before the end"
        default: hop.outcome
        }
    }

    // MARK: Two nodes

    package static func why(_ reply: WhyReply) -> [String] {
        let name = reply.name ?? reply.id
        var lines = ["\(name): \(reply.answers ? "answers" : "does not answer")"]
        if reply.name != nil { lines.append("Identity: \(reply.id)") }
        if let address = reply.address { lines.append("Address: \(address)") }
        if let listed = reply.listedAddress, listed != reply.address { lines.append("Listed at: \(listed)") }
        lines.append("Seen from here: \(view(reply.here))")
        lines.append("Seen from there: \(reply.there.map(view) ?? "it said nothing yet")")
        if let difference = reply.clockDifference { lines.append("Its clock minus ours: \(difference) ms") }
        if !reply.witnesses.isEmpty { lines.append("Known to: \(reply.witnesses.joined(separator: ", "))") }
        if reply.findings.isEmpty { lines.append("Nothing is wrong between the two") }
        return lines + findings(reply.findings)
    }

    private static func view(_ view: WhyReply.View) -> String {
        var text = view.state
        if let time = view.lastAnswered { text += ", last answered \(TimeText.ofDay(time))" }
        if let time = view.roundTripMilliseconds { text += ", \(ShellText.milliseconds(time))" }
        return text
    }

    /// `14:03:22.125  admission  10.0.0.7:4100`
    package static func rejection(_ rejection: RejectionsReply.Rejection) -> String {
        "\(TimeText.ofDay(milliseconds: rejection.time))  \(rejection.reason)  \(rejection.source)"
    }

    /// `14:03:22.125  warning  nobody answers`
    package static func line(_ line: LogReply.Line) -> String {
        "\(TimeText.ofDay(milliseconds: line.time))  \(line.level)  \(line.text)"
    }

    // MARK: One screen

    /// The node at a glance, no line wider than 80 columns. `since`: the state a second before, for rates.
    package static func screen(_ status: StatusReply, _ peers: PeersReply, since before: StatusReply?)
        -> [String]
    {
        let up = Double(status.uptimeMilliseconds) / 1000
        var lines = [
            "\(status.name ?? "dht")  \(status.address)  up \(Int(up)) s  network \(status.network ?? "-")"
        ]
        lines += ShellText.health(status)
        lines += [
            "Peers: \(status.peers.up) of \(status.members ?? status.peers.known) up   "
                + "Records: \(status.records.count), \(byteCountText(status.records.bytes))   "
                + "Lacking copies: \(status.counters["under_replicated"] ?? 0)",
            rates(status, before),
            "Refused: " + refusals(status),
            "",
        ]
        let rows = ShellText.peers(peers).prefix(peersShown)
        lines += rows
        if peers.peers.count > peersShown {
            lines.append("… \(peers.peers.count - peersShown) more: dht peers")
        }
        return lines.map { String($0.prefix(screenWidth)) }
    }

    private static func rates(_ status: StatusReply, _ before: StatusReply?) -> String {
        let names = ["received", "transmitted", "inbound_requests", "retransmissions", "timeouts"]
        let seconds = before.map {
            Double(max(1, status.uptimeMilliseconds - min($0.uptimeMilliseconds, status.uptimeMilliseconds)))
                / 1000
        }
        return names.map { name in
            let now = status.counters[name] ?? 0
            guard let before, let seconds else { return "\(name) \(now)" }
            let grown = now - min(before.counters[name] ?? 0, now)
            return "\(name) \(Int((Double(grown) / seconds).rounded()))/s"
        }.joined(separator: "  ")
    }

    private static func refusals(_ status: StatusReply) -> String {
        let some = status.rejected.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return some.isEmpty ? "none" : some.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
}
