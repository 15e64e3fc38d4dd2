import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import FoundationEssentials

extension Admission {
    /// The policy of a node with this identity. A list names whom the node talks to and need not name the
    /// node itself, whose own values it keeps and reads all the same.
    func policy(for node: Identity) -> AdmissionPolicy {
        switch self {
        case .members(var list):
            if list.member(node) == nil, let own = try? Allowlist(parsing: node.text, file: "this node") {
                // Fails only if another bears the name made of our identity.
                try? list.merge(own)
            }
            return .members(list)
        case .everyHolderOfTheNetworkKey: return .open
        }
    }
}

extension PutOptions.Condition {
    var request: Request.Condition {
        switch self {
        case .absent: .absent
        case .revision(let revision): .revision(revision)
        }
    }
}

extension PutOptions {
    /// The write of a value. Of a long one this computes the digests, so it is not for an event loop; if it
    /// is wanted no more, what it returns is of no use.
    func operation(
        _ key: [UInt8],
        _ value: any ContentBytes,
        lifetime: UInt32,
        isWanted: () -> Bool
    ) -> DHTEngine.Operation.Put? {
        var put: DHTEngine.Operation.Put
        if value.count > RecordLayout.maximumValueLength {
            guard let content = Content(value, isWanted: isWanted) else { return nil }
            put = DHTEngine.Operation.Put(key: key, content: content, lifetime: lifetime)
        } else {
            guard let bytes = value.bytes(in: 0..<value.count) else { return nil }
            put = DHTEngine.Operation.Put(key: key, value: bytes, lifetime: lifetime)
        }
        (put.condition, put.isKept) = (condition?.request, isKept)
        put.copies = minimumCopies ?? 0
        return put
    }
}

extension PeerStatus.State {
    init(_ grade: Reachability.Grade) {
        switch grade {
        case .good: self = .good
        case .questionable: self = .questionable
        case .bad: self = .bad
        }
    }
}

extension StoredValue {
    init(_ found: GetOutcome.Found, _ value: [UInt8]) {
        key = Array(found.record.key)
        self.value = value
        author = found.record.author
        revision = found.record.revision
        expires = Date(unixMilliseconds: found.record.expiry)
        copies = found.copies
    }
}

extension StandingRecord {
    init(_ record: Record) {
        self.init(
            author: record.author,
            revision: record.revision,
            expires: Date(unixMilliseconds: record.expiry),
            content: record.isTombstone
                ? .deleted
                : record.reference.map { .longValue(byteCount: Int($0.length)) }
                    ?? .value(Array(record.value))
        )
    }
}

extension PutReceipt {
    init(_ record: Record, _ outcome: PutOutcome, target: Int, hiddenBy hider: Identity? = nil) {
        self.init(
            revision: record.revision,
            expires: Date(unixMilliseconds: record.expiry),
            stored: outcome.stored,
            target: target,
            replicas: outcome.replicas.map {
                .init(identity: $0.identity, verdict: $0.verdict.publicVerdict)
            },
            hiddenBy: hider,
            unreached: outcome.unreached.list
        )
    }
}

extension KeptValue {
    init(_ state: RenewalState) {
        let phase: State =
            switch state.phase {
            case .kept(failures: 0): .kept
            case .kept(let failures): .failing(times: Int(failures))
            case .superseded(let author): .superseded(by: author)
            case .ended: .ended
            }
        self.init(
            key: state.value.key,
            lifetime: .seconds(state.value.lifetime),
            revision: state.value.revision,
            state: phase
        )
    }
}

extension PutOutcome.Verdict {
    fileprivate var publicVerdict: PutReceipt.Verdict {
        switch self {
        case .stored: .stored
        case .conflict: .conflict
        case .refused(.quota): .quota
        case .refused(.expired): .expired
        case .refused(.clock): .clock
        case .refused(.denied): .denied
        case .refused(.unavailable): .unavailable
        case .timeout: .timeout
        }
    }
}

extension Endpoint.Families {
    var list: [Endpoint.Family] { [.ipv4, .ipv6].filter { contains($0) } }
}

/// `641 bytes`, `200 KiB`.
func describe(byteCount: Int) -> String {
    byteCount < 10 * 1024 ? "\(byteCount) bytes" : "\(byteCount / 1024) KiB"
}

extension DHTNode {
    /// The node itself could not take a long value.
    func unstorable(_ refusal: Response.Refusal) -> DHTError {
        guard refusal == .quota else {
            return DHTError(.internal, "this node could not write the value to its disk. See its log")
        }
        return DHTError(.partial, "this node has no room for the value: its disk or its quota is full")
    }

    /// The value was to be kept alive, and cannot be.
    func unkeepable(_ refusal: KeepingRefusal) -> DHTError {
        switch refusal {
        case .lifetime(let least):
            DHTError(
                .invalidArgument,
                "a value that this node is to keep alive needs a lifetime of \(least) s at least, to be "
                    + "renewed in time with all others it keeps; nothing was written"
            )
        case .capacity:
            DHTError(
                .partial,
                "this node keeps as many values alive as it can: nothing was written",
                remedy: .keepingFewer
            )
        }
    }

    /// The value would be over before it is where it belongs.
    func tooBrief(_ put: DHTEngine.Operation.Put, byteCount: Int) -> DHTError {
        DHTError(
            .invalidArgument,
            "a value of \(describe(byteCount: byteCount)) may take \(put.leastLifetime) s to reach its "
                + "replicas, and this one would be over after \(put.lifetime) s. Give it a lifetime of "
                + "\(put.leastLifetime) s or more",
            remedy: .lifetime
        )
    }

    func check(key: [UInt8]) throws(DHTError) {
        guard RecordLayout.keyLengths.contains(key.count) else {
            throw DHTError(
                .invalidArgument,
                key.isEmpty
                    ? "the key is empty; keys have 1 to 128 bytes"
                    : "key is \(describe(byteCount: key.count)), the limit is 128 bytes"
            )
        }
    }

    /// The author whose newer value hides the one written; `nil` if there is none, if the replicas do not
    /// agree on one, or if we do not know the author they name.
    func hider(in outcome: PutOutcome) async -> Identity? {
        switch outcome.hider(placing: { $0.nodeID }) {
        case nil: nil
        case .author(let author): author
        case .place(let prefix): await loop.somebody(at: prefix)
        }
    }

    /// The receipt of a write, by the verdicts of its replicas; throws if they amount to an error.
    func receipt(
        _ record: Record,
        _ outcome: PutOutcome,
        _ options: PutOptions,
        hiddenBy hider: Identity?
    ) async throws(DHTError) -> PutReceipt {
        let asked = min(outcome.replicas.count, Kademlia.replicas)
        if outcome.stored < options.copies(of: asked),
            let later = outcome.revisions(standingAgainst: record).max(), later > record.revision
        {
            throw DHTError(
                .conflict,
                "written over: a later write of this node, revision \(later.rawValue), took its place"
            )
        }
        let verdicts = outcome.replicas.map(\.verdict)
        let conflicts = verdicts.filter { if case .conflict = $0 { true } else { false } }
        let standing = conflicts.lazy.compactMap {
            if case .conflict(let record?) = $0 { record } else { nil }
        }.first
        if !conflicts.isEmpty {
            // A replica that is silent may have taken the record.
            let silent = verdicts.count { $0 == .timeout }
            if outcome.stored == 0, silent == 0 { throw conflict(with: standing) }
            // A replica that holds nothing cannot vouch for the condition, nor speak against others that can.
            if outcome.stored == 0 || standing != nil && options.condition != nil {
                throw uncertain(PutReceipt(record, outcome, target: asked), standing, silent: silent)
            }
        }
        if outcome.stored == 0 { throw refusal(outcome, record) }
        // Where eight were asked, and enough of them took it, no others count.
        let isFull = asked == Kademlia.replicas && outcome.stored >= options.copies(of: asked)
        let company = isFull ? nil : await loop.company
        let receipt = PutReceipt(record, outcome, target: max(company?.target ?? 0, asked), hiddenBy: hider)
        let wanted = options.copies(of: receipt.target)
        if outcome.stored < wanted, let error = clockRefusal(outcome, record) {
            let few = "stored at \(nodeCount(outcome.stored)) of \(receipt.target), \(wanted) were wanted"
            throw DHTError(.partial, "\(few): \(error.reason)", receipt: receipt)
        }
        if let company, outcome.stored < wanted { throw shortfall(receipt, wanted: wanted, company) }
        return receipt
    }

    func conflict(with standing: Record?) -> DHTError {
        guard let standing else {
            return DHTError(.conflict, "not stored: the record the condition names is not there")
        }
        let (time, now) = (standing.revision.unixMilliseconds, SystemClock.now.unixMilliseconds)
        let isAhead = standing.revision.isFarAhead(of: now)
        let ahead = isAhead ? ", of \(UTC.text(unixMilliseconds: time)), ahead of this node's clock" : ""
        return DHTError(
            .conflict,
            "not stored: \(naming(standing)) stands there\(ahead)",
            standing: StandingRecord(standing)
        )
    }

    private func naming(_ record: Record) -> String {
        "revision \(record.revision.rawValue) by \(naming(record.author))"
    }

    private func naming(_ node: Identity) -> String { node == identity ? "this node" : node.text }

    /// Some took the value, or may have, and others did not, because the condition was not met there.
    private func uncertain(_ receipt: PutReceipt, _ standing: Record?, silent: Int) -> DHTError {
        let refused = receipt.replicas.count { $0.verdict == .conflict }
        let stands = standing.map { ", where \(naming($0)) stands" } ?? ""
        let quiet = silent == 0 ? "" : ", no answer from \(silent)"
        return DHTError(
            .partial,
            "it is not certain that the value stands: stored at \(nodeCount(receipt.stored)), refused by "
                + "\(refused)\(stands)\(quiet)",
            standing: standing.map { StandingRecord($0) },
            receipt: receipt,
            remedy: .reading
        )
    }

    /// The first of those whose clocks differ.
    private func clockRefusal(_ outcome: PutOutcome, _ record: Record) -> DHTError? {
        for replica in outcome.replicas {
            guard case .refused(.clock(let theirs)) = replica.verdict else { continue }
            let peer = naming(replica.identity)
            return .refusedByClock(of: peer, theirs, written: record.revision.unixMilliseconds)
        }
        return nil
    }

    /// Too few took the value.
    private func shortfall(_ receipt: PutReceipt, wanted: Int, _ company: Company) -> DHTError {
        let takers = receipt.replicas.filter { $0.verdict == .stored }.map(\.identity)
        guard takers == [identity] else {
            return DHTError(
                .partial,
                "stored at \(nodeCount(receipt.stored)) of \(receipt.target), \(wanted) were wanted; it goes "
                    + "on trying",
                receipt: receipt,
                remedy: .peers
            )
        }
        let others = "\(receipt.target - 1) others ought to have it too"
        return DHTError(
            .partial,
            "stored here only; \(company.isIsolated ? company.isolation : others); it goes on trying",
            receipt: receipt,
            remedy: .status
        )
    }

    private func nodeCount(_ count: Int) -> String { count == 1 ? "1 node" : "\(count) nodes" }

    /// The company of this node, if no other node answered the read; else `nil`.
    func company(missedBy outcome: GetOutcome) async -> Company? {
        outcome.contacts.isEmpty ? await loop.company : nil
    }

    /// Why a read that found nothing proves nothing; `nil` if it does. We ourselves may have been asked, too.
    func blindness(of outcome: GetOutcome, among company: Company?) -> DHTError? {
        if let company, company.isIsolated {
            return DHTError(
                .unreachable,
                "\(company.isolation), so whether there is a value is not known",
                remedy: .status
            )
        }
        if outcome.asked > 0, outcome.answered == 0 { return nobody(outOf: outcome.asked) }
        // An acknowledged write may be at these and nowhere else.
        guard outcome.silent > 0, outcome.silent >= PutOptions().copies(of: outcome.closest) else {
            return nil
        }
        return DHTError(
            .unreachable,
            "\(outcome.silent) of the \(nodeCount(outcome.closest)) that ought to have it did not answer, so "
                + "whether there is a value is not known",
            remedy: .peers
        )
    }

    /// Why nobody took the record: the first reason that is not silence.
    private func refusal(_ outcome: PutOutcome, _ record: Record) -> DHTError {
        for replica in outcome.replicas {
            guard case .refused(let refusal) = replica.verdict else { continue }
            let peer = naming(replica.identity)
            switch refusal {
            case .denied:
                return DHTError(.denied, "\(peer) does not let this node write. Its allowlist decides")
            case .quota:
                // Which of the two is not said: nobody need know how full a node is.
                return DHTError(
                    .partial,
                    "\(peer) has no room for this value: it is full, or "
                        + "keeps no more of this author's records"
                )
            case .expired:
                return DHTError(.invalidArgument, "the value's lifetime was over when it reached \(peer)")
            case .unavailable: return DHTError(.partial, "\(peer) cannot write to its disk")
            case .clock(let theirs):
                return .refusedByClock(of: peer, theirs, written: record.revision.unixMilliseconds)
            }
        }
        return nobody(outOf: outcome.replicas.count)
    }

    private func nobody(outOf asked: Int) -> DHTError {
        DHTError(.unreachable, "no peer answered (asked \(asked))", remedy: .peers)
    }
}

extension DHTError {
    /// A replica's clock is too far behind the time of what was written, both in milliseconds since 1970.
    static func refusedByClock(of peer: String, _ theirs: UInt64, written: UInt64) -> DHTError {
        let earliest = UTC.text(unixMilliseconds: written -| Revision.clockTolerance)
        return DHTError(
            .partial,
            "the value's time is \((written -| theirs) / 1000) s ahead of the clock of \(peer), which takes "
                + "300 s at most. Set the clock that is wrong (timedatectl) and write again: "
                + "that works at once; else from when the other clock says \(earliest)"
        )
    }
}
