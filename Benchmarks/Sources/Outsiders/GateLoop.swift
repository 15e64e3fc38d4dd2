import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import Glibc

/// An engine, and all that is sent to it, in one thread and under virtual time.
struct GateLoop: ~Copyable {
    private static let pace = Interval.microseconds(50)  // 20,000 a second
    private static let burst = 20_000
    private static let rounds = 9

    private var engine: Engine
    private var clock = Instant(nanoseconds: 1_000_000_000_000)
    private var forgery: Forgery

    init(_ cast: Cast) {
        let identity = cast.identity(Cast.victim)
        let core = KademliaNode(
            identity: identity,
            id: identity.nodeID,
            generator: SystemRandomNumberGenerator()
        )
        engine = Engine(gate: cast.gate(Cast.victim, at: clock), core: core)
        forgery = Forgery(cast: cast)
        capture(cast)
    }

    private var now: Now { Now(instant: clock, unixMilliseconds: 1_700_000_000_000) }

    /// What the node sends when it hears this.
    private mutating func hear(_ datagram: [UInt8]) -> [[UInt8]] {
        var turn = EngineTurn(at: now)
        engine.receive(datagram, from: Wire.member, in: &turn)
        return turn.actions.compactMap { action in
            if case .transmit(let outgoing, _) = action { engine.gate.finish(outgoing) } else { nil }
        }
    }

    private mutating func capture(_ cast: Cast) {
        var correspondent = Correspondent(cast, at: clock)
        var waiting = [correspondent.ask(at: clock)]
        while forgery.live.count < Forgery.variety {
            if waiting.isEmpty {
                waiting = [correspondent.ask(at: clock)]
                if correspondent.isKnown { forgery.live += waiting }
            }
            let answers = hear(waiting.removeFirst())
            for answer in answers { waiting += correspondent.hear(answer, at: clock) }
        }
        forgery.responses = correspondent.responses
        forgery.firstContacts = correspondent.firstContacts
        for datagram in forgery.firstContacts { _ = hear(datagram) }
        (forgery.memberBoxKey, forgery.victimBoxKey) = correspondent.boxKeys
    }

    /// Microseconds of the processor for a datagram of each kind: the median of some rounds, each kind in
    /// each.
    mutating func measure() -> [Kind: Double] {
        var samples: [Kind: [Double]] = [:]
        for _ in 0..<Self.rounds {
            for kind in Kind.allCases where kind != .staleReplay { samples[kind, default: []] += [run(kind)] }
        }
        clock = clock + .seconds(36_000)
        for _ in 0..<Self.rounds { samples[.staleReplay, default: []] += [run(.staleReplay)] }
        return samples.mapValues { $0.sorted()[$0.count / 2] }
    }

    private mutating func run(_ kind: Kind) -> Double {
        let datagrams = forgery.datagrams(kind, at: clock)
        clock = clock + .seconds(1)
        var isAnswered = false
        let before = processorSeconds()
        for index in 0..<Self.burst {
            clock = clock + Self.pace
            // As many sources as there can be: the lane is used up as far as it goes.
            let source = kind == .forgedFirstContact ? Wire.anywhere(index) : Wire.member
            var turn = EngineTurn(at: now)
            engine.receive(datagrams[index % datagrams.count], from: source, in: &turn)
            isAnswered = isAnswered || !turn.actions.isEmpty
        }
        let spent = processorSeconds() - before
        precondition(!isAnswered, "\(kind.rawValue) was answered")
        return spent * 1_000_000 / Double(Self.burst)
    }

    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
    }
}

/// A member who speaks by its gate alone, and remembers what an outsider could capture.
struct Correspondent: ~Copyable {
    private var gate: Gate
    private let victim: Identity
    private let victimEndpoint: Endpoint
    private(set) var isKnown = false
    private(set) var responses: [[UInt8]] = []
    let firstContacts: [[UInt8]]
    private let cast: Cast

    init(_ cast: Cast, victim endpoint: Endpoint = Wire.nowhere, at now: Instant) {
        self.cast = cast
        gate = cast.gate(Cast.member, at: now)
        victim = cast.identity(Cast.victim)
        victimEndpoint = endpoint
        // Of eight different processes, which never come to be known.
        firstContacts = (0..<8).map { _ in
            var newcomer = cast.gate(Cast.newcomer, at: now)
            let options = Gate.SealOptions(transaction: newcomer.makeTransaction())
            let (request, victim) = (Request.ping(isLeaving: false), cast.identity(Cast.victim))
            guard let datagram = newcomer.seal(request, to: victim, at: endpoint, options, now: now) else {
                preconditionFailure("the victim is on the list")
            }
            return datagram
        }
    }

    /// The member's box key and the victim's, as their headers show them.
    private(set) var boxKeys: (BoxPublicKey?, BoxPublicKey?) = (nil, nil)

    private static func header(of datagram: [UInt8], to recipient: Identity, _ cast: Cast) -> Header? {
        let key = cast.networkKey.headerKey(for: recipient)
        let bytes = key.open(datagram[24..<120], nonce: datagram[..<24])
        guard let bytes, case .header(let header) = Header.decode(bytes) else { return nil }
        return header
    }

    mutating func ask(at now: Instant) -> [UInt8] {
        let options = Gate.SealOptions(transaction: gate.makeTransaction())
        let request = Request.ping(isLeaving: false)
        guard let datagram = gate.seal(request, to: victim, at: victimEndpoint, options, now: now) else {
            preconditionFailure("the victim is on the list")
        }
        boxKeys.0 = Self.header(of: datagram, to: victim, cast)?.senderBoxKey
        return datagram
    }

    /// What it says to that.
    mutating func hear(_ datagram: [UInt8], at now: Instant) -> [[UInt8]] {
        switch gate.receive(datagram, from: victimEndpoint, at: now) {
        case .dropped: return []
        case .answer(let answer):
            isKnown = answer.wasLive
            boxKeys.1 = Self.header(of: datagram, to: gate.identity, cast)?.senderBoxKey
            return []
        case .request(let inbound):
            let response: Response =
                switch inbound.request {
                case .ping: .pong(observed: victimEndpoint, endpoints: [])
                case .findNode: .nodes([])
                case .findValue: .values([], total: 0, closer: [])
                case .store, .passOn, .findChunk, .findRoster, .join: .retry
                }
            guard let answer = gate.seal(response, to: inbound, now: now) else { return [] }
            responses.append(answer)
            return [answer]
        }
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
