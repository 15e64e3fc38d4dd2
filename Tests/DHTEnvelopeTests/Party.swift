import DHTCore
import DHTCrypto

@testable import DHTEnvelope

/// A node without its engine: a gate, and where it is.
final class Party {
    let name: String
    let endpoint: Endpoint
    var gate: Gate
    private var lastTransaction: UInt64 = 0

    init(
        _ name: String,
        at endpoint: Endpoint,
        admitting admission: AdmissionPolicy,
        network: String = "home",
        boxKey: String? = nil,
        limits: Gate.Limits = Gate.Limits(),
        now: Instant = at(0)
    ) {
        self.name = name
        self.endpoint = endpoint
        gate = Gate(
            keys: keyRing(name, network: network, boxKey: boxKey),
            admission: admission,
            limits: limits,
            entropy: SplitMix64(seed: UInt64(name.utf8.reduce(0) { $0 * 31 + Int($1) })),
            at: now
        )
    }

    var identity: Identity { gate.identity }

    /// Seals a request to the other; traps if there is nothing to send.
    func ask(
        _ other: Party,
        _ request: Request = .ping(isLeaving: false),
        transaction: UInt64? = nil,
        usesStaticKey: Bool = false,
        answerLength: Int = 256,
        now: Instant = at(0)
    ) -> [UInt8] {
        lastTransaction += 1
        let options = Gate.SealOptions(
            transaction: transaction ?? lastTransaction,
            usesStaticKey: usesStaticKey,
            answerLength: answerLength
        )
        return certain(gate.seal(request, to: other.identity, at: other.endpoint, options, now: now))
    }

    /// What becomes of a datagram, from that party's address if no other is given.
    func hear(
        _ datagram: [UInt8],
        from other: Party,
        at endpoint: Endpoint? = nil,
        now: Instant = at(0)
    ) -> Outcome {
        Outcome(gate.receive(datagram, from: endpoint ?? other.endpoint, at: now))
    }

    /// Takes a request that must pass, and answers it.
    func answer(
        _ datagram: [UInt8],
        from other: Party,
        with response: Response? = nil,
        now: Instant = at(0)
    ) -> [UInt8] {
        guard case .request(let inbound) = gate.receive(datagram, from: other.endpoint, at: now) else {
            preconditionFailure("\(name) did not take the request")
        }
        return certain(gate.seal(response ?? usualAnswer(to: inbound), to: inbound, now: now))
    }

    private func usualAnswer(to inbound: Gate.InboundRequest) -> Response {
        switch inbound.request {
        case .ping: .pong(observed: inbound.endpoint, endpoints: [endpoint])
        case .findNode: .nodes([])
        case .findValue: .values([], total: 0, closer: [])
        case .findChunk, .findRoster, .join: .absent
        case .store, .passOn: inbound.isLive ? .stored(.init(lifetime: 60, closest: [1, 2])) : .retry
        }
    }

    /// Asks and has it answered, so that this party has a challenge and a session of the other.
    func meet(_ other: Party, now: Instant = at(0)) {
        let response = other.answer(ask(other, now: now), from: self, now: now)
        guard case .answer = hear(response, from: other, now: now) else {
            preconditionFailure("\(other.name)'s answer was dropped")
        }
    }

    // Questions to the gate, which cannot be copied into an expectation itself.

    func expectsLife(of other: Party, now: Instant = at(0)) -> Bool {
        gate.expectsLife(of: other.identity, at: other.endpoint, now: now)
    }

    /// How many sessions there are of the other.
    func sessions(of other: Party) -> Int { gate.sessions[other.identity]?.sessions.count ?? 0 }

    func hasProved(_ other: Party) -> Bool { gate.hasProved(other.identity, at: other.endpoint) }

    /// Whether the key shared with that peer's box key is cached; `own` is 0 for the static key.
    func hasCached(_ peer: BoxPublicKey, own: UInt32) -> Bool {
        gate.sharedKeys.contains(own: own, peer: peer)
    }

    /// The last transmission's digest.
    func digest(of transaction: UInt64) -> [UInt8] {
        gate.pending[transaction]?.transmissions.first?.digest.bytes ?? []
    }

    /// All the gate remembers of its peers, as text, but for budgets; for telling that nothing changed.
    var memory: String {
        var text = "pending \(gate.pending.count)\n"
        for index in 0..<gate.sessions.count {
            var peer = gate.sessions[place: index]
            peer.budget = TokenBucket(rate: 1, burst: 1, at: at(0))
            dump(peer, to: &text)
        }
        return text + "first contacts \(gate.sessions.firstContacts.count)\n"
    }
}

extension Gate {
    /// The bytes of a request's datagram.
    mutating func seal(
        _ request: Request,
        to peer: Identity,
        at endpoint: Endpoint,
        _ options: SealOptions,
        now: Instant
    ) -> [UInt8]? {
        draft(request, to: peer, at: endpoint, options, now: now).flatMap { finish($0) }
    }

    /// The bytes of an answer's datagram.
    mutating func seal(_ response: Response, to inbound: InboundRequest, now: Instant) -> [UInt8]? {
        draft(response, to: inbound, now: now).flatMap { finish($0) }
    }
}

/// A verdict a test can compare.
enum Outcome: Hashable {
    case live(Request)
    case firstContact(Request)
    case answer(Response)
    case dropped(DropReason)

    init(_ verdict: Gate.Verdict) {
        switch verdict {
        case .request(let inbound):
            self = inbound.isLive ? .live(inbound.request) : .firstContact(inbound.request)
        case .answer(let answer): self = .answer(answer.response)
        case .dropped(let reason): self = .dropped(reason)
        }
    }

    var isDropped: Bool {
        if case .dropped = self { return true }
        return false
    }

    var isLive: Bool {
        if case .live = self { return true }
        return false
    }
}

let ping = Request.ping(isLeaving: false)

/// Alice and Bob, who know of each other only that they are admitted.
func strangers() -> (alice: Party, bob: Party) {
    let list = members("alice", "bob", "carol")
    return (Party("alice", at: .host(1), admitting: list), Party("bob", at: .host(2), admitting: list))
}

/// Alice and Bob, each of whom the other knows.
func friends() -> (alice: Party, bob: Party) {
    let (alice, bob) = strangers()
    alice.meet(bob)
    bob.meet(alice)
    return (alice, bob)
}
