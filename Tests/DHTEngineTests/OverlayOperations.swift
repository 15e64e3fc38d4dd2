import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope

/// What users of an overlay's nodes do, each call until it is over.
extension Overlay {
    /// Starts all hosts up to `count`, the later ones with host 0 as their seed, and lets them find each
    /// other.
    func startAll(_ count: Int? = nil, settle: Interval = .seconds(8)) {
        let count = count ?? hosts.count
        start(0)
        for index in 1..<max(count, 1) {
            start(index, seeds: [0])
            run(for: .milliseconds(50))
        }
        run(for: settle)
    }

    @discardableResult
    func put(
        _ key: String,
        _ value: [UInt8],
        lifetime: UInt32 = 3600,
        condition: Request.Condition? = nil,
        at index: Int
    ) -> (record: Record, outcome: PutOutcome)? {
        let put = Operation.Put(key: Array(key.utf8), value: value, lifetime: lifetime, condition: condition)
        guard case .put(let record, let outcome) = finish(submit(.put(put), at: index), at: index) else {
            return nil
        }
        return (record, outcome)
    }

    /// What stood in the way of a conditional put: a record, or nothing (`.some(nil)`); `nil` if it was not
    /// refused.
    func conflict(_ key: String, _ value: [UInt8], condition: Request.Condition, at index: Int) -> Record?? {
        let put = Operation.Put(key: Array(key.utf8), value: value, lifetime: 3600, condition: condition)
        guard case .conflict(let standing) = finish(submit(.put(put), at: index), at: index) else {
            return nil
        }
        return .some(standing)
    }

    @discardableResult
    func put(_ key: String, _ value: String, lifetime: UInt32 = 3600, at index: Int) -> PutOutcome? {
        put(key, Array(value.utf8), lifetime: lifetime, at: index)?.outcome
    }

    func look(
        _ key: String,
        author: Int? = nil,
        replicas: Int = 3,
        isExhaustive: Bool = false,
        paths: Int? = nil,
        at index: Int
    ) -> GetOutcome? {
        let get = Operation.get(
            key: Array(key.utf8),
            author: author.map { self[$0].identity },
            replicas: replicas,
            isExhaustive: isExhaustive,
            paths: paths
        )
        guard case .got(let outcome) = finish(submit(get, at: index), at: index) else { return nil }
        return outcome
    }

    /// The newest value under the key, as `get` prefers it.
    func get(_ key: String, author: Int? = nil, replicas: Int = 3, at index: Int) -> [UInt8]? {
        look(key, author: author, replicas: replicas, at: index)?.found
            .first { !$0.record.isTombstone }.map { Array($0.record.value) }
    }

    func text(_ key: String, author: Int? = nil, replicas: Int = 3, at index: Int) -> String? {
        get(key, author: author, replicas: replicas, at: index).map { String(decoding: $0, as: UTF8.self) }
    }

    func submitLong(_ key: String, _ value: [UInt8], lifetime: UInt32 = 3600, at index: Int) -> OperationID {
        guard let content = Content(value) else { preconditionFailure("\(value.count) bytes are not long") }
        return submit(.put(.init(key: Array(key.utf8), content: content, lifetime: lifetime)), at: index)
    }

    @discardableResult
    func putLong(
        _ key: String,
        _ value: [UInt8],
        lifetime: UInt32 = 3600,
        at index: Int,
        patience: Interval = .seconds(120)
    ) -> (record: Record, outcome: PutOutcome)? {
        let name = submitLong(key, value, lifetime: lifetime, at: index)
        guard case .put(let record, let outcome) = finish(name, at: index, patience: patience) else {
            return nil
        }
        return (record, outcome)
    }

    /// The newest value under the key, and what it refers to.
    func getLong(_ key: String, at index: Int, patience: Interval = .seconds(120)) -> [UInt8]? {
        guard let outcome = look(key, at: index),
            let record = outcome.found.first(where: { !$0.record.isTombstone })?.record
        else { return nil }
        let name = submit(.fetch(record, from: outcome.contacts), at: index)
        guard case .fetched(let bytes) = finish(name, at: index, patience: patience) else { return nil }
        return bytes
    }

    @discardableResult
    func delete(_ key: String, at index: Int) -> PutOutcome? {
        let name = submit(.delete(key: Array(key.utf8)), at: index)
        guard case .put(_, let outcome)? = finish(name, at: index) else { return nil }
        return outcome
    }

    /// The round trip; `nil` if nobody answered.
    func ping(_ peer: Int, at index: Int) -> Interval? {
        guard case .pinged(let span) = finish(submit(.ping(self[peer].identity), at: index), at: index) else {
            return nil
        }
        return span
    }

    func leave(_ index: Int) -> Bool {
        guard case .left = finish(submit(.leave, at: index), at: index) else { return false }
        return true
    }
}

/// What an observer of the whole overlay sees.
extension Overlay {
    var alive: [Host] { hosts.filter(\.isAlive) }

    /// Whether a node has another in its table, and counts on it.
    func knows(_ index: Int, _ other: Int) -> Bool {
        guard let entry = self[index].engine.core.table.entry(for: self[other].identity, id: self[other].id)
        else {
            return false
        }
        return entry.reachability.grade != .bad && entry.contact.endpoint == self[other].endpoint
    }

    /// Hosts that hold a live record under the key, by its author.
    func holders(of key: String, by author: Int? = nil) -> [Int] {
        hosts.filter { host in
            var isHolder = false
            host.store.forEach { record in
                if record.key.elementsEqual(key.utf8),
                    author == nil || record.author == self[author ?? 0].identity
                {
                    isHolder = true
                }
            }
            return isHolder
        }.map(\.index)
    }

    func location(_ key: String) -> NodeID { sha1(Array(key.utf8)) }

    func flightsTo(_ index: Int) -> [Flight] {
        flights.filter { $0.destination.source == self[index].endpoint.source }
    }
}
