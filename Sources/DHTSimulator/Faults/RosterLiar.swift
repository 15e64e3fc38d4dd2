import DHTCore
import DHTEnvelope

/// How a hostile member treats rosters, besides whatever else it does. Which kind it is, its identity says.
struct RosterLiar {
    private enum Kind: CaseIterable {
        /// Shows marks of other rosters, and gives heads that nobody signed.
        case forging
        /// Shows the highest mark there is, always, and gives no head.
        case boasting
        /// Gives the head, and of the text hardly anything.
        case dawdling
    }

    /// One chunk in so many is given by one that dawdles.
    private static let dawdle = 0.1

    private let identity: Identity
    private let kind: Kind
    /// Of the heads that were given.
    private var texts: Set<Digest> = []

    init(_ identity: Identity) {
        self.identity = identity
        kind = Kind.allCases[Int(identity.prefix) % Kind.allCases.count]
    }

    /// The request as it goes out.
    func altered(_ request: Request, using chance: inout SeededRandom) -> Request {
        guard case .ping(let isLeaving, let mark?) = request else { return request }
        return .ping(isLeaving: isLeaving, roster: pretended(mark, using: &chance))
    }

    private var highest: RosterMark { RosterMark(serial: .max, stamp: identity.prefix) }

    /// The answer as it goes out. `isTold`: whether it is about rosters; else it is none of this one's.
    mutating func altered(
        _ response: Response,
        to request: Request,
        using chance: inout SeededRandom
    ) -> (isTold: Bool, response: Response?) {
        switch response {
        case .pong(let observed, let endpoints, let view, let mark):
            let shown = mark.map { pretended($0, using: &chance) }
            return (true, .pong(observed: observed, endpoints: endpoints, view: view, roster: shown))
        case .roster(let head):
            texts.insert(head.text.digest)
            switch kind {
            case .forging: return (true, .roster(forged(head, using: &chance)))
            case .boasting: return (true, nil)
            case .dawdling: return (true, response)
            }
        case .chunk:
            guard kind == .dawdling, case .findChunk(let content, _, _) = request, texts.contains(content)
            else { return (false, response) }
            return (true, chance.happens(Self.dawdle) ? response : nil)
        default: return (false, response)
        }
    }

    /// Another mark, now and then: a higher serial, a lower one, or another text.
    private func pretended(_ mark: RosterMark, using chance: inout SeededRandom) -> RosterMark {
        switch kind {
        case .boasting: return highest
        case .dawdling: return mark
        case .forging: break
        }
        guard chance.happens(0.3) else { return mark }
        let serials = [
            mark.serial + 1 + UInt64(chance.index(below: 9)), max(mark.serial, 2) - 1, mark.serial,
        ]
        let stamp = UInt32(truncatingIfNeeded: chance.next())
        return RosterMark(serial: serials[chance.index(below: serials.count)], stamp: stamp)
    }

    /// A head of a higher serial, with a signature that is none.
    private func forged(_ head: RosterHead, using chance: inout SeededRandom) -> RosterHead {
        guard chance.happens(0.5) else { return head }
        return RosterHead(
            serial: head.serial + 1 + UInt64(chance.index(below: 3)),
            time: head.time,
            administrator: chance.happens(0.5) ? head.administrator : identity,
            text: head.text,
            signature: chance.happens(0.5) ? head.signature : Array(chance.bytes(RosterHead.signatureLength))
        )
    }
}
