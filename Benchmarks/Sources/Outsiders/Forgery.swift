import DHTCore
import DHTCrypto
import DHTEnvelope

/// What can be sent to a node by those who are no members of its network.
enum Kind: String, CaseIterable {
    case garbage = "garbage of a right length"
    case unlisted = "a sender who is on no list"
    case forgedBox = "a forged box under a member's box key"
    case forgedFirstContact = "a forged first contact"
    case freshReplay = "a live request, replayed after 1 s"
    case staleReplay = "a live request, replayed after 10 h"
    case firstContactReplay = "a first contact, replayed"
    case responseReplay = "a response, replayed"
}

/// The keys of all who play a part, so that several processes can have the same.
struct Cast {
    let seeds: [[UInt8]]
    let network: [UInt8]

    static let victim = 0
    static let member = 1
    /// Begins and does not go on.
    static let newcomer = 2
    static let pinger = 3
    static let stranger = 4
    /// Others on the list, as a team has them.
    static let count = 200

    init() {
        seeds = (0..<Self.count).map { _ in Self.random(32) }
        network = Self.random(32)
    }

    init(seeds: [[UInt8]], network: [UInt8]) { (self.seeds, self.network) = (seeds, network) }

    static func random(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    func signingKey(_ index: Int) -> SigningKey {
        var seed = seeds[index]
        return SigningKey(seed: SecretBytes(wiping: &seed))
    }

    var networkKey: NetworkKey {
        var bytes = network
        return NetworkKey(bytes: SecretBytes(wiping: &bytes))
    }

    func identity(_ index: Int) -> Identity { signingKey(index).identity }

    /// All but the stranger, who lists everybody.
    func list(for index: Int) -> Allowlist {
        let members = seeds.indices.filter { index == Self.stranger || $0 != Self.stranger }
        return Allowlist(known: members.map { .init(identity: identity($0), name: "node-\($0)") })
    }

    func gate(_ index: Int, at now: Instant) -> Gate {
        Gate(
            keys: KeyRing(signing: signingKey(index), network: networkKey, at: now),
            admission: .members(list(for: index)),
            entropy: SystemRandomNumberGenerator(),
            at: now
        )
    }
}

/// Datagrams of each kind, for one node.
struct Forgery {
    /// Different ones of each kind.
    static let variety = 512
    let cast: Cast
    /// What was captured.
    var live: [[UInt8]] = []
    var firstContacts: [[UInt8]] = []
    var responses: [[UInt8]] = []
    /// What the member and the node show in their headers.
    var memberBoxKey: BoxPublicKey?
    var victimBoxKey: BoxPublicKey?

    func datagrams(_ kind: Kind, at now: Instant) -> [[UInt8]] {
        switch kind {
        case .garbage: (0..<Self.variety).map { _ in Cast.random(Datagram.minimumLength) }
        case .unlisted: unlisted(at: now)
        case .forgedBox: (0..<Self.variety).map { forged(counter: 1 << 40 + UInt64($0)) }
        case .forgedFirstContact:
            (0..<Self.variety).map { _ in forged(counter: 1, boxKey: BoxKey().publicKey) }
        case .freshReplay, .staleReplay: live
        case .firstContactReplay: firstContacts
        case .responseReplay: responses
        }
    }

    private func unlisted(at now: Instant) -> [[UInt8]] {
        var gate = cast.gate(Cast.stranger, at: now)
        let victim = cast.identity(Cast.victim)
        return (0..<Self.variety).compactMap { _ in
            let options = Gate.SealOptions(transaction: gate.makeTransaction())
            return gate.seal(.ping(isLeaving: false), to: victim, at: Wire.nowhere, options, now: now)
        }
    }

    /// A header in a member's name, and noise in the place of the box.
    private func forged(counter: UInt64, boxKey: BoxPublicKey? = nil) -> [UInt8] {
        guard let shown = boxKey ?? memberBoxKey, let victimBoxKey else {
            preconditionFailure("nothing was captured yet")
        }
        let header = Header(
            kind: .request,
            recipientKeyID: boxKey == nil ? victimBoxKey.id : KeyRing.staticKeyID,
            number: counter,
            sender: cast.identity(Cast.member),
            senderBoxKey: shown
        )
        var datagram = Cast.random(Datagram.nonceLength)
        let key = cast.networkKey.headerKey(for: cast.identity(Cast.victim))
        key.seal(header.encoded, appendingTo: &datagram)
        return datagram + Cast.random(Datagram.minimumLength - datagram.count)
    }
}
