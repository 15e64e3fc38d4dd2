import FoundationEssentials
import SecureDHT

/// From what a node knows to what is wrong, in words. Pure: the facts come in, the findings go out.
package struct Diagnosis: Sendable {
    /// An attempt to reach a member just now.
    package struct Probe: Hashable, Sendable {
        package var roundTrip: Duration?
        /// Names of members that have it among their contacts, though it does not answer us.
        package var witnesses: [String]

        package init(roundTrip: Duration? = nil, witnesses: [String] = []) {
            (self.roundTrip, self.witnesses) = (roundTrip, witnesses)
        }
    }

    /// Clocks that differ by less are right enough.
    static let clockTolerance = Duration.seconds(10)
    /// Datagrams and deeds longer ago are over.
    static let memory: TimeInterval = 3600
    /// A roster needs no longer to be everywhere.
    static let spreading: TimeInterval = 30
    /// The store is as good as full.
    static let fullness = 0.95
    /// How many peers one sentence names.
    private static let named = 3

    package var status: NodeStatus
    package var peers: [PeerStatus]
    /// `nil`: nobody looked, and nothing is said of it.
    package var probes: [Identity: Probe]?
    package var host: HostFacts?
    /// Whether the node is on its own list; `nil` if it has none.
    package var isListed: Bool?
    package var now: Date

    package init(
        status: NodeStatus,
        peers: [PeerStatus],
        probes: [Identity: Probe]? = nil,
        host: HostFacts? = nil,
        isListed: Bool? = nil,
        now: Date = Date()
    ) {
        (self.status, self.peers, self.probes) = (status, peers, probes)
        (self.host, self.isListed, self.now) = (host, isListed, now)
    }

    /// The worst first.
    package var findings: [Finding] {
        complaints + strangeDatagrams + clocks + silentMembers + knocks + whereabouts + storage + limits
            + suspects + listing + rosters
    }

    // MARK: Rules

    private var complaints: [Finding] {
        status.complaints.flatMap { complaint -> [Finding] in
            switch complaint.kind {
            case .isolated: isolation(complaint.text)
            case .twoProcesses:
                [
                    Finding(
                        .twoProcesses,
                        complaint.text,
                        next: "stop one of the two, or give it a key of its own: dht keygen"
                    )
                ]
            case .listen: [Finding(.listen, complaint.text, next: "ip -br addr; ss -ulnp")]
            case .family: [Finding(.family, complaint.text, next: "dht peers")]
            case .disk: [Finding(.disk, complaint.text, next: "df -h; ls -ld the node's directory")]
            default: [Finding(.isolated, complaint.text)]
            }
        }
    }

    /// Nobody answers: with the likeliest cause.
    private func isolation(_ text: String) -> [Finding] {
        let unsent = status.counters.filter { $0.name.hasPrefix("send_failed.") && $0.count > 0 }
        if let worst = unsent.max(by: { $0.count < $1.count }), hasNoRoute(worst.name) {
            let errno = worst.name.dropFirst("send_failed.".count)
            return [
                Finding(
                    .noRoute,
                    "\(text): the system has no way to send (\(errno), \(worst.count) times): "
                        + "a link, an address or a route is missing, or a filter is in the way",
                    next: "ip -br link; ip -br addr; ip route"
                )
            ]
        }
        let received = status.counters.first { $0.name == "received" }?.count ?? 0
        guard received == 0 else { return [Finding(.isolated, text, next: "dht peers; dht doctor")] }
        let ports = Set(status.addresses.map(\.port)).sorted().map(String.init).joined(separator: ", ")
        return [
            Finding(
                .isolated,
                "\(text), and nothing at all arrived since the start: "
                    + "UDP port \(ports) may be closed, here or there, or nobody runs",
                next: "nft list ruleset; ss -ulnp; on a peer: dht status"
            )
        ]
    }

    private func hasNoRoute(_ counter: String) -> Bool {
        ["ENETUNREACH", "ENETDOWN", "EHOSTUNREACH", "EADDRNOTAVAIL", "EPERM", "EACCES", "ENODEV"]
            .contains { counter.hasSuffix($0) }
    }

    /// Datagrams from members' machines that cannot be read here.
    private var strangeDatagrams: [Finding] {
        status.rejected.compactMap { rejection -> Finding? in
            guard rejection.reason == .header || rejection.reason == .version, rejection.count > 0,
                let source = rejection.lastSource, isRecent(rejection.last)
            else { return nil }
            let peer = peers.first { peer in
                peer.address?.host == source.host || peer.listedAddress?.host == source.host
            }
            let isNobodyUp = status.peersUp == 0 && !peers.isEmpty
            guard peer != nil || isNobodyUp else { return nil }
            let sender = peer.map { name($0) } ?? "\(source)"
            if rejection.reason == .version {
                return Finding(
                    .version,
                    "\(sender) at \(source) speaks another version of the protocol",
                    peer: peer.map { name($0) },
                    next: "dht --version, here and there: upgrade the older"
                )
            }
            return Finding(
                .networkKey,
                "datagrams from \(sender) at \(source) are made with another network key "
                    + "(here \(status.network)), or are none of ours",
                peer: peer.map { name($0) },
                next: "dht status, here and there: compare Network; copy the right net.key and restart"
            )
        }
    }

    private var clocks: [Finding] {
        let off = peers.compactMap { peer in
            peer.clockDifference.map { (peer: peer, difference: $0) }
        }
        let far = off.filter { abs($0.difference) > Self.clockTolerance }
        guard let worst = far.max(by: { abs($0.difference) < abs($1.difference) }) else { return [] }
        // It is ours that is wrong, if it is wrong to most of the others, by the same.
        if far.count * 2 > off.count, off.count > 1 {
            return [
                Finding(
                    .clock,
                    "this node's clock differs from \(far.count) of \(off.count) peers' by "
                        + "\(seconds(worst.difference)); records more than 5 min ahead are refused",
                    next: "timedatectl"
                )
            ]
        }
        return far.map {
            Finding(
                .clock,
                "clock differs from \(name($0.peer)) by \(seconds($0.difference)); "
                    + "records more than 5 min ahead are refused",
                peer: name($0.peer),
                next: "timedatectl, here and on \(name($0.peer))"
            )
        }
    }

    /// Of members that do not answer, if we are not cut off from everybody.
    private var silentMembers: [Finding] {
        guard let probes, probes.values.contains(where: { $0.roundTrip != nil }) else { return [] }
        return peers.compactMap { peer -> Finding? in
            guard let probe = probes[peer.identity], probe.roundTrip == nil else { return nil }
            let since = peer.lastAnswered.map { " since \(TimeText.ofDay($0.unixSeconds))" } ?? ""
            guard !probe.witnesses.isEmpty else {
                return Finding(
                    .unreachable,
                    "\(name(peer)) does not answer\(since), and no other member has heard from it",
                    peer: name(peer),
                    next: "on \(name(peer)): dht status"
                )
            }
            let witnesses = probe.witnesses.prefix(Self.named).joined(separator: ", ")
            return Finding(
                .refusedBy,
                "\(name(peer)) does not answer this node\(since), and \(witnesses) know it: "
                    + "it may not list us, or a filter is between us",
                peer: name(peer),
                next: "on \(name(peer)): dht peers; its list needs this line: "
                    + "\(status.identity.text) \(status.name ?? "NAME")"
            )
        }
    }

    private var knocks: [Finding] {
        status.knocking.filter { isRecent($0.last) }.map { knock in
            Finding(
                .refuses,
                "\(knock.identity.text) at \(knock.address) asks in vain (\(knock.count) times): "
                    + "it is not on the list here",
                peer: knock.identity.text,
                next: "if it belongs to the team, add to the list: \(knock.identity.text) NAME; "
                    + "then dht reload"
            )
        }
    }

    private var whereabouts: [Finding] {
        peers.compactMap { peer in
            guard peer.state == .good, let address = peer.address, let listed = peer.listedAddress,
                address != listed, address.family == listed.family
            else { return nil }
            return Finding(
                .moved,
                "\(name(peer)) answers at \(address); the list says \(listed)",
                peer: name(peer),
                next: "change its addr= in the list; then dht reload"
            )
        }
    }

    private var storage: [Finding] {
        var findings: [Finding] = []
        if Double(status.store.live) > Self.fullness * Double(status.store.limit) {
            findings.append(
                Finding(
                    .disk,
                    "the store is full: \(status.store.live) of \(status.store.limit) bytes; "
                        + "records that others ought to keep give way",
                    next: "dht status -v"
                )
            )
        }
        let lacking = status.counters.first { $0.name == "under_replicated" }?.count ?? 0
        if lacking > 0 {
            findings.append(
                Finding(.copies, "\(lacking) records lack copies; they are being made", next: "dht peers")
            )
        }
        return findings
    }

    private var limits: [Finding] { host?.findings ?? [] }

    private var suspects: [Finding] {
        status.suspects.filter { isRecent($0.last) }.map { suspect in
            let name = suspect.name ?? suspect.identity.text
            return Finding(
                .suspect,
                "\(name): \(suspect.offence.rawValue), \(suspect.count) times",
                peer: name,
                next: "on \(name): dht doctor; is it ours, and whole?"
            )
        }
    }

    private var listing: [Finding] {
        guard isListed == false else { return [] }
        return [
            Finding(
                .unlisted,
                "this node is not on its own list: peers with the same list turn it away",
                next: "add to the list: \(status.identity.text) \(status.name ?? "NAME"); then dht reload"
            )
        ]
    }

    private var rosters: [Finding] {
        let own = status.roster
        var findings: [Finding] = []
        if !own.conflict.isEmpty {
            let signers = own.conflict.map(\.text).joined(separator: " and ")
            findings.append(
                Finding(
                    .rosterConflict,
                    "two rosters of serial \(own.serial) are signed, by \(signers): some members hold one, "
                        + "some the other; the evidence is in roster.conflict, in the node's directory",
                    next: "a newer one ends it: dht admit or dht revoke, with one of the keys only"
                )
            )
        }
        if let missing = own.missing, now.timeIntervalSince(missing.since) >= Self.spreading {
            findings.append(
                Finding(
                    .rosterBehind,
                    "this node holds roster \(own.serial), and others \(missing.serial) since "
                        + "\(TimeText.ofDay(missing.since.unixSeconds)): \(words(for: missing.reason))",
                    next: missing.reason == .unsigned
                        ? "on a member that has it: dht members; pin its administrator here: @admin IDENTITY"
                        : "dht peers; dht doctor"
                )
            )
        }
        if let reason = own.unwritten {
            findings.append(
                Finding(
                    .disk,
                    "roster \(own.serial) cannot be written, and would not be there for the next process: "
                        + reason,
                    next: "df -h; ls -ld the node's directory"
                )
            )
        }
        guard own.serial > 0 else { return findings }
        for peer in peers {
            guard peer.state == .good, let serial = peer.rosterSerial, serial < own.serial,
                let since = peer.rosterSince, now.timeIntervalSince(since) >= Self.spreading
            else { continue }
            let words = serial == 0 ? "follows no roster" : "holds roster \(serial)"
            findings.append(
                Finding(
                    .rosterBehind,
                    "\(name(peer)) \(words) since \(TimeText.ofDay(since.unixSeconds)), and this node "
                        + "\(own.serial): it may take another for its administrator",
                    peer: name(peer),
                    next: "on \(name(peer)): dht doctor"
                )
            )
        }
        return findings
    }

    private func words(for reason: RosterStatus.Missing.Reason) -> String {
        switch reason {
        case .unsigned: "nobody signed it whom this node takes for an administrator"
        case .unreadable: "its text is no list that this version reads"
        default: "nobody who has it gave it yet"
        }
    }

    // MARK: Words

    private func name(_ peer: PeerStatus) -> String { peer.name ?? peer.identity.text }

    private func isRecent(_ time: Date?) -> Bool {
        time.map { now.timeIntervalSince($0) < Self.memory } ?? false
    }
}

/// `+47 s`
func seconds(_ difference: Duration) -> String {
    let seconds = difference.components.seconds
    return (seconds > 0 ? "+" : "") + "\(seconds) s"
}

private func abs(_ duration: Duration) -> Duration { duration < .zero ? .zero - duration : duration }
