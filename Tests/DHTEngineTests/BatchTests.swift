import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import Dispatch
import Testing

/// A member that writes to the twins, without an engine.
private final class Correspondent {
    let endpoint: Endpoint
    private var gate: Gate
    private var transaction: UInt64 = 0

    init(_ gate: consuming Gate, at endpoint: Endpoint) {
        self.gate = gate
        self.endpoint = endpoint
    }

    func ask(_ request: Request, of peer: Identity, at place: Endpoint, now: Instant) -> [UInt8]? {
        transaction += 1
        let options = Gate.SealOptions(transaction: transaction, answerLength: 512)
        return gate.draft(request, to: peer, at: place, options, now: now).flatMap { gate.finish($0) }
    }

    func hear(_ datagram: [UInt8], from place: Endpoint, now: Instant) {
        _ = gate.receive(datagram, from: place, at: now)
    }
}

/// A node, and members that write to it. Two of one seed differ in the secrets they make themselves and in
/// nothing that anybody sees of them.
private final class Side {
    private let place = Endpoint(ipv4: 0x0A00_0001, port: 4100)
    private let identity: Identity
    private var engine: Engine
    private let correspondents: [Correspondent]
    private var chance: SplitMix64
    private var heard: [Arrival] = []

    init(seed: UInt64) {
        var chance = SplitMix64(seed: seed)
        let seeds = (0..<6).map { _ in chance.bytes(SigningKey.seedLength) }
        let network = chance.bytes(NetworkKey.byteCount)
        let identities = seeds.map { SigningKey(seed: Self.secret($0)).identity }
        let policy = AdmissionPolicy.list(identities)
        func gate(of index: Int) -> Gate {
            let keys = KeyRing(
                signing: SigningKey(seed: Self.secret(seeds[index])),
                network: NetworkKey(bytes: Self.secret(network)),
                at: at(0)
            )
            let entropy = SplitMix64(seed: seed &+ UInt64(index))
            return Gate(keys: keys, admission: policy, entropy: entropy, at: at(0))
        }
        let core = KademliaNode(
            identity: identities[0],
            id: identities[0].nodeID,
            settings: KademliaNode.Settings(),
            generator: SplitMix64(seed: seed)
        )
        engine = Engine(gate: gate(of: 0), core: core)
        identity = identities[0]
        correspondents = identities.indices.dropFirst().map { index in
            Correspondent(gate(of: index), at: Endpoint(ipv4: 0x0A00_0100 | UInt32(index), port: 1))
        }
        self.chance = chance
    }

    private static func secret(_ bytes: [UInt8]) -> SecretBytes {
        var copy = bytes
        return SecretBytes(wiping: &copy)
    }

    /// Requests of those known and of those not known yet; some again, some spoilt, some of no sense at all.
    func arrivals(_ count: Int, at now: Instant) -> [Arrival] {
        var arrivals: [Arrival] = []
        while arrivals.count < count {
            guard let correspondent = correspondents.randomElement(using: &chance) else { break }
            switch Int.random(in: 0...9, using: &chance) {
            case 0: if let old = heard.randomElement(using: &chance) { arrivals.append(old) }
            case 1: if let again = arrivals.randomElement(using: &chance) { arrivals.append(again) }
            case 2:
                guard let old = heard.randomElement(using: &chance) else { continue }
                var spoilt = old.datagram
                spoilt[Int.random(in: spoilt.indices, using: &chance)] ^= 1
                arrivals.append(Arrival(spoilt, from: old.endpoint))
            case 3: arrivals.append(Arrival(chance.bytes(256), from: correspondent.endpoint))
            default:
                let request: Request =
                    chance.oneIn(2) ? .ping(isLeaving: false) : .findNode(target: identity.nodeID)
                if let datagram = correspondent.ask(request, of: identity, at: place, now: now) {
                    arrivals.append(Arrival(datagram, from: correspondent.endpoint))
                }
            }
        }
        heard += arrivals
        return arrivals
    }

    /// What becomes of the datagrams, which the node takes one by one if there are no workers, and of what it
    /// sends where it goes and the length; it reaches whoever is there.
    func take(
        _ arrivals: [Arrival],
        by workers: Workers?,
        at now: Instant
    ) -> (dispositions: [Disposition], sent: [String]) {
        var turn = EngineTurn(at: Now(instant: now, unixMilliseconds: 1_800_000_000_000))
        let dispositions =
            workers.map { engine.receive(arrivals, by: $0, in: &turn) }
            ?? arrivals.map { engine.receive($0.datagram, from: $0.endpoint, in: &turn) }
        let outgoing = turn.actions.compactMap { action -> (datagram: Outgoing, endpoint: Endpoint)? in
            if case .transmit(let datagram, let endpoint) = action { (datagram, endpoint) } else { nil }
        }
        let datagrams =
            workers.map { engine.gate.finish(outgoing.map(\.datagram), by: $0) }
            ?? outgoing.map { engine.gate.finish($0.datagram) }
        let sent = zip(datagrams, outgoing).map { datagram, outgoing in
            let reader = correspondents.first { $0.endpoint == outgoing.endpoint }
            if let datagram { reader?.hear(datagram, from: place, now: now) }
            return "\(outgoing.endpoint) \(datagram?.count ?? 0)"
        }
        return (dispositions, sent)
    }
}

@Suite struct BatchTests {
    private static func backwards(_ count: Int, _ work: @Sendable (Int) -> Void) {
        for index in (0..<count).reversed() { work(index) }
    }

    private static func threads(_ count: Int, _ work: @Sendable (Int) -> Void) {
        DispatchQueue.concurrentPerform(iterations: count, execute: work)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `datagrams that are taken together are taken as one after the other`(seed: UInt64) {
        let (single, batched) = (Side(seed: seed), Side(seed: seed))
        var dispositions: [Disposition] = []
        for round in 1...12 as ClosedRange<UInt64> {
            let count = Int(seed + round) % 32 + 1
            let one = single.take(single.arrivals(count, at: at(round)), by: nil, at: at(round))
            let arrivals = batched.arrivals(count, at: at(round))
            let many = batched.take(
                arrivals,
                by: round % 2 == 0 ? Self.backwards : Self.threads,
                at: at(round)
            )
            #expect(one.dispositions == many.dispositions)
            #expect(one.sent == many.sent)
            dispositions += many.dispositions
        }
        // All kinds there are: accepted, replayed, spoilt and senseless.
        #expect(dispositions.contains(.accepted) && dispositions.contains(.dropped(.replay)))
        #expect(dispositions.contains(.dropped(.header)))
    }

    @Test func `of a request that comes twice at once one is taken`() {
        let side = Side(seed: 1)
        for round in 1...3 as ClosedRange<UInt64> {
            _ = side.take(side.arrivals(40, at: at(round)), by: Self.threads, at: at(round))
        }
        let arrivals = side.arrivals(30, at: at(9)).flatMap { [$0, $0] }
        let accepted = side.take(arrivals, by: Self.threads, at: at(9)).dispositions.count { $0 == .accepted }
        #expect(accepted > 10 && accepted <= 30)
    }
}
