import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope

/// The invitations that are open at a node, each with a gate of its own: a network of two, whose key the
/// invitation makes. A datagram that the node's own key does not open is tried on all of them.
final class Reception {
    /// One open invitation.
    private final class Door {
        let secret: [UInt8]
        var gate: Gate

        init(_ secret: [UInt8], _ gate: consuming Gate) {
            self.secret = secret
            self.gate = gate
        }
    }

    /// A datagram that a door was tried on.
    enum Knock {
        case arrival(Arrival)
        /// Made under the key of an invitation, and nothing that is looked at: one that was sent again, say.
        case idle
        /// Not made under the key of any.
        case stranger
    }

    /// A machine that shows an invitation.
    struct Arrival {
        let secret: [UInt8]
        let inbound: Gate.InboundRequest
    }

    private(set) var book: InvitationBook
    private var doors: [Door] = []
    /// Invitations by which somebody is being let in at this moment.
    private var busy: Set<[UInt8]> = []

    init(_ book: InvitationBook, key: borrowing SigningKey, at now: Now) {
        self.book = book
        self.book.close(at: now.unixMilliseconds)
        follow(key: key, at: now)
    }

    var isEmpty: Bool { doors.isEmpty }

    /// Opens an invitation.
    func open(
        _ entry: InvitationBook.Entry,
        key: borrowing SigningKey,
        at now: Now
    ) -> InvitationBook.Opening {
        let opening = book.open(entry, at: now.unixMilliseconds)
        follow(key: key, at: now)
        return opening
    }

    /// Has a door for every entry of the book.
    private func follow(key: borrowing SigningKey, at now: Now) {
        dropDoors()
        for secret in book.entries.map(\.secret) where !doors.contains(where: { $0.secret == secret }) {
            var limits = Gate.Limits()
            limits.sharedKeys = Self.keysByDoor
            let gate = Gate(
                keys: KeyRing(
                    signing: key.copy(),
                    network: NetworkKey(ofInvitation: secret),
                    at: now.instant
                ),
                admission: .open,
                limits: limits,
                entropy: SystemEntropy(),
                at: now.instant
            )
            doors.append(Door(secret, gate))
        }
    }

    private static let keysByDoor = 8

    private func dropDoors() {
        doors.removeAll { door in !book.entries.contains { $0.secret == door.secret } }
    }

    /// Forgets invitations that are of no use any more; whether there were any.
    func closeThoseOver(at now: Now) -> Bool {
        let isOther = book.close(at: now.unixMilliseconds)
        if isOther { dropDoors() }
        return isOther
    }

    /// Forgets one that nobody was given.
    func close(_ secret: [UInt8]) {
        book.close(secret)
        dropDoors()
    }

    /// Tries a datagram on all doors.
    func receive(_ datagram: [UInt8], from endpoint: Endpoint, at now: Now) -> Knock {
        for door in doors {
            switch door.gate.receive(datagram, from: endpoint, at: now.instant) {
            case .request(let inbound):
                guard inbound.request == .join else { return .idle }
                return .arrival(Arrival(secret: door.secret, inbound: inbound))
            case .dropped(.header): continue
            case .dropped, .answer: return .idle
            }
        }
        return .stranger
    }

    /// The verdict on an arrival.
    func judge(_ arrival: Arrival, at now: Now) -> InvitationBook.Verdict {
        book.show(arrival.secret, by: arrival.inbound.sender, at: now.unixMilliseconds)
    }

    /// Somebody is to be let in; `false` if that is under way.
    func begin(_ arrival: Arrival) -> Bool { busy.insert(arrival.secret).inserted }

    func end(_ arrival: Arrival) { busy.remove(arrival.secret) }

    func takeBack(_ arrival: Arrival) { book.takeBack(arrival.secret) }

    func name(of arrival: Arrival) -> String? {
        book.entries.first { $0.secret == arrival.secret }?.name
    }

    /// The datagram that answers.
    func answer(_ arrival: Arrival, _ welcome: Welcome, at now: Now) -> [UInt8]? {
        guard let door = doors.first(where: { $0.secret == arrival.secret }),
            let outgoing = door.gate.draft(
                .welcome(welcome.encoded),
                to: arrival.inbound,
                now: now.instant
            )
        else { return nil }
        return door.gate.finish(outgoing)
    }
}
