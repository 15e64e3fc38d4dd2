@testable import DHTCore

extension Record {
    /// A record laid out as `docs/protocol.md`, section 8, has it, unsigned: the core trusts who made it.
    ///
    /// Its key is one byte, and its location the id that begins with that byte. `revision` is in seconds.
    static func sample(
        at location: UInt8 = 1,
        by author: UInt64 = 1,
        revision: UInt64 = 1,
        lifetime: UInt32 = 3600,
        value: [UInt8] = [],
        kind: Kind = .value
    ) -> Record {
        unsigned(
            at: location,
            by: .numbered(author),
            key: [location],
            revision: revision * 1000 << 16,
            lifetime: lifetime,
            value: value,
            kind: kind
        )
    }
}

/// Both clocks, that many seconds after their common origin.
func now(_ seconds: UInt64) -> Now { Now(instant: at(seconds), unixMilliseconds: seconds * 1000) }

extension KademliaNode {
    /// The node whose id begins with `firstByte`, and whose identity has the same number.
    static func at(_ firstByte: UInt8, settings: Settings = Settings()) -> KademliaNode {
        KademliaNode(
            identity: .numbered(UInt64(firstByte)),
            id: NodeID(firstByte: firstByte),
            settings: settings,
            generator: SplitMix64(seed: UInt64(firstByte))
        )
    }
}

/// A node and the actions its last event brought: a test reads as a transcript of both.
struct Transcript {
    var node: KademliaNode
    /// Of the last event.
    private(set) var actions: [KademliaAction] = []
    /// What peers answer to a STORE if not that they stored it, by place.
    var answers: [UInt8: Response] = [:]
    /// Peers that answer nothing, by place.
    var silent: Set<UInt8> = []

    init(_ node: KademliaNode) { self.node = node }

    mutating func on(at now: Now = now(0), _ event: (inout KademliaNode, inout KademliaTurn) -> Void) {
        var turn = KademliaTurn(at: now)
        event(&node, &turn)
        actions = turn.actions
    }

    /// Performs what the last event brought, and what that brings, in order, until nothing is left.
    mutating func performAll(
        at now: Now,
        _ perform: (KademliaAction, inout KademliaNode, inout KademliaTurn) -> Void
    ) {
        var turn = KademliaTurn(at: now, actions: actions)
        var next = 0
        while next < turn.actions.count {
            perform(turn.actions[next], &node, &turn)
            next += 1
        }
    }

    /// The requests the last event brought, with whom they are for.
    var requests: [(call: CallID, contact: Contact, request: Request)] {
        actions.compactMap { action in
            if case .call(let call, let contact, let request, _) = action {
                (call, contact, request)
            } else {
                nil
            }
        }
    }

    /// The places of those who were asked, in the order of asking.
    var asked: [UInt8] { requests.map(\.contact).places }

    var replies: [Response] {
        actions.compactMap { action in if case .reply(_, let response) = action { response } else { nil } }
    }

    var outcomes: [KademliaOutcome] {
        actions.compactMap { action in if case .finished(_, let outcome) = action { outcome } else { nil } }
    }

    var tickets: [Ticket] {
        actions.compactMap { action in
            switch action {
            case .load(let ticket, _, _), .apply(let ticket, _): ticket
            default: nil
            }
        }
    }

    /// Enters contacts as if each had answered a greeting.
    mutating func meet(_ places: UInt8..., at seconds: UInt64 = 0) {
        for place in places { _ = node.table.answered(.at(place), at: TestKit.at(seconds)) }
        if node.membership.joining.state != .done { node.membership.joining = Joining(isDone: true) }
    }

    /// The contact answers a request of ours.
    mutating func hear(_ contact: Contact, at seconds: UInt64) {
        on { node, turn in node.call(contact, .ping(isLeaving: false), .upkeep, in: &turn) }
        let call = requests[0].call
        on(at: now(seconds)) { node, turn in
            let pong = Response.pong(observed: .port(1), endpoints: [])
            node.answered(call, pong, in: &turn)
        }
    }

    /// The contact does not answer two requests, nor any other.
    mutating func lose(_ place: UInt8, at seconds: UInt64) {
        silent.insert(place)
        for _ in 0..<2 {
            on { node, turn in
                node.call(.at(place), .ping(isLeaving: false), .upkeep, in: &turn)
            }
            let call = requests[0].call
            on(at: now(seconds)) { node, turn in node.failed(call, in: &turn) }
        }
    }
}

// MARK: Time that passes

extension Transcript {
    struct Store {
        let seconds: UInt64
        let contact: Contact
        let request: Request
    }

    /// Lets every second of a span pass. Peers answer what they are asked, all at once; the store reads
    /// `records` and does what it is told. Returns the STOREs that were sent.
    mutating func live(
        from first: UInt64,
        through last: UInt64,
        holding records: [Record]
    ) -> [Store] {
        var stores: [Store] = []
        for second in first...last {
            on(at: now(second)) { node, turn in node.advance(in: &turn) }
            answerAll(at: second, holding: records) { action in
                if case .call(_, let contact, let request, _) = action, request.isWrite {
                    stores.append(Store(seconds: second, contact: contact, request: request))
                }
            }
        }
        return stores
    }

    /// Lets all that was asked for in the last event be answered, and what that brings.
    mutating func answerAll(
        at seconds: UInt64,
        holding records: [Record] = [],
        seeing see: (KademliaAction) -> Void = { _ in }
    ) {
        let (silent, answers) = (silent, answers)
        performAll(at: now(seconds)) { action, node, turn in
            see(action)
            switch action {
            case .call(let call, let contact, _, _) where silent.contains(contact.id.bytes[0]):
                node.failed(call, in: &turn)
            case .call(let call, let contact, let request, _):
                node.answered(call, Self.answer(to: request, of: contact, answers, records), in: &turn)
            case .load(let ticket, let location, let authors):
                let found = records.filter { $0.location == location && authors.contains($0.author) }
                node.loaded(ticket, found, in: &turn)
            case .apply(let ticket, _): node.applied(ticket, .done, in: &turn)
            case .reply, .resolve, .retry, .finished: break
            }
        }
    }

    /// Lets the store do what the last event told it.
    mutating func apply(at seconds: UInt64) {
        for ticket in tickets {
            on(at: now(seconds)) { node, turn in node.applied(ticket, .done, in: &turn) }
        }
    }

    private static func answer(
        to request: Request,
        of contact: Contact,
        _ answers: [UInt8: Response],
        _ records: [Record]
    ) -> Response {
        switch request {
        case .ping: .pong(observed: .port(1), endpoints: [])
        case .findNode: .nodes([])
        case .findValue(let location, _, _):
            .values(records.filter { $0.location == location }, total: 1, closer: [])
        case .findChunk, .findRoster, .join: .absent
        case .store, .passOn: answers[contact.id.bytes[0]] ?? .stored(.init(lifetime: 1, closest: []))
        }
    }
}

extension KademliaNode {
    /// How much of that kind it holds: the name is that of a bound.
    func size(of kind: String) -> Int? { bounds.first { $0.name == kind }?.count }
}
