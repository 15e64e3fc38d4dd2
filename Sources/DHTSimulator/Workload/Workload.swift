import DHTCore
import DHTEngine
import DHTEnvelope

/// People and programs that use a world's nodes: what they ask, how often, and what they make of the answers.
final class Workload {
    /// How much of what they do.
    struct Mix: Hashable {
        /// Between one thing and the next, in milliseconds.
        var pause: ClosedRange<UInt64> = 5_000...30_000
        var keys = 12
        /// Weights.
        var puts = 30
        var gets = 55
        /// The share of gets under keys that nobody writes.
        var vain = 0.0
        var deletes = 6
        var conditional = 4
        var pings = 5
        /// Bytes of a value.
        var lengths: ClosedRange<UInt64> = 8...640
        /// The share of values that are too long for a record, and how long these are.
        var long = 0.0
        var longLengths: ClosedRange<UInt64> = 641...200_000
        /// Seconds that values last; each is drawn alike.
        var lifetimes: [UInt32] = [86_400]
        /// How many replicas reads ask; each is drawn alike.
        var replicas = [3]
        /// Whether several authors write under one key.
        var sharesKeys = false
        /// The share of writes after which their author writes under the same key again, within a moment.
        var haste = 0.0
        /// The share of writes that their user breaks off.
        var aborts = 0.0
        /// The share of values that are kept alive.
        var keeps = 0.0
    }

    let world: World
    var mix: Mix
    var history = History()
    var statistics: ReadStatistics
    var chance: SeededRandom
    /// Reads that brought bytes nobody signed, or something older than they had to.
    var wrong = 0
    private(set) var putsStarted = 0
    private(set) var putsFailed = 0
    /// Records that were to be read at the end, and those of them that were not there.
    var recordsPut = 0
    var recordsLost = 0
    /// Long values of honest authors that were to be read, and of which nobody could be reached who has them.
    var contentsRead = 0
    var contentsMissed = 0
    /// How often R + W > K said that a read had to see a write.
    var sumsChecked = 0
    private var isActive = false
    /// Whether reads are counted.
    var isCounting = true

    init(_ world: World, mix: Mix, chance: SeededRandom, statistics: ReadStatistics) {
        (self.world, self.mix, self.chance, self.statistics) = (world, mix, chance, statistics)
    }

    // MARK: The users' operations

    /// Keeps doing things until ``stop()``.
    func start() {
        isActive = true
        next()
    }

    func stop() { isActive = false }

    private func next() {
        world.after(.milliseconds(chance.span(in: mix.pause))) { [self] in
            guard isActive else { return }
            doSomething()
            next()
        }
    }

    func doSomething() {
        let key = chance.index(below: mix.keys)
        let dice = chance.index(below: mix.puts + mix.gets + mix.deletes + mix.conditional + mix.pings)
        switch dice {
        case ..<mix.puts: put(key, at: author(of: key))
        case ..<(mix.puts + mix.gets): get(vainKey() ?? key, at: someone())
        case ..<(mix.puts + mix.gets + mix.deletes): delete(key, at: author(of: key))
        case ..<(mix.puts + mix.gets + mix.deletes + mix.conditional):
            put(key, at: author(of: key), condition: condition(on: key))
        default: ping()
        }
    }

    private func vainKey() -> Int? {
        mix.vain > 0 && chance.happens(mix.vain) ? mix.keys + chance.index(below: 1000) : nil
    }

    /// A node that runs and is honest, or nobody.
    func someone() -> SimulatedNode? {
        for _ in 0..<20 {
            let node = world.nodes[chance.index(below: world.nodes.count)]
            if node.isUp, node.isHonest { return node }
        }
        return nil
    }

    /// The node that writes under a key: always the same, or one of three.
    private func author(of key: Int) -> SimulatedNode? {
        let honest = world.nodes.count
        let turn = mix.sharesKeys ? chance.index(below: 3) : 0
        let node = world.nodes[Int(SeededRandom.mix(UInt64(key * 3 + turn)) % UInt64(honest))]
        return node.isUp && !node.isRevoked ? node : nil
    }

    private func condition(on key: Int) -> Request.Condition {
        guard chance.happens(0.6), let write = history.writes[key]?.last else { return .absent }
        return .revision(write.record.revision)
    }

    // MARK: Writing

    func put(
        _ key: Int,
        at node: SimulatedNode?,
        condition: Request.Condition? = nil,
        then: ((History.Write?) -> Void)? = nil
    ) {
        guard let node else { return }
        let lifetime = mix.lifetimes[chance.index(below: mix.lifetimes.count)]
        let isLong = mix.long > 0 && chance.happens(mix.long)
        let length = Int(chance.span(in: isLong ? mix.longLengths : mix.lengths))
        let value = history.makeValue(
            for: key,
            by: node.index,
            length: length,
            lifetime: lifetime,
            at: world.clock
        )
        putsStarted += 1
        var put = operation(key, value, lifetime: lifetime, condition)
        put.isKept = mix.keeps > 0 && chance.happens(mix.keeps)
        let start = start(of: key, at: node)
        let name = world.submit(.put(put), at: node) { [self] outcome in
            let write = acknowledged(outcome, key, by: node, start)
            then?(write)
        }
        changeOnesMind(about: name, key, at: node)
    }

    /// Some writes are broken off, and some are followed by another one at once.
    private func changeOnesMind(about write: OperationID, _ key: Int, at node: SimulatedNode) {
        if mix.aborts > 0, chance.happens(mix.aborts) {
            world.after(.milliseconds(chance.span(in: 0...3000))) { [self] in world.cancel(write) }
        }
        guard mix.haste > 0, chance.happens(mix.haste) else { return }
        world.after(.milliseconds(chance.span(in: 0...500))) { [self] in
            guard isActive, node.isUp, !node.isRevoked else { return }
            if chance.happens(0.3) { delete(key, at: node) } else { put(key, at: node) }
        }
    }

    private func operation(
        _ key: Int,
        _ value: [UInt8],
        lifetime: UInt32,
        _ condition: Request.Condition?
    ) -> DHTEngine.Operation.Put {
        let name = History.name(of: key)
        guard let content = Content(value) else {
            return .init(key: name, value: value, lifetime: lifetime, condition: condition)
        }
        history.recordContent(content)
        return .init(key: name, content: content, lifetime: lifetime, condition: condition)
    }

    private func delete(_ key: Int, at node: SimulatedNode?) {
        guard let node else { return }
        history.recordDeletion(of: key, by: node.index)
        let start = start(of: key, at: node)
        let name = world.submit(.delete(key: History.name(of: key)), at: node) { [self] outcome in
            _ = acknowledged(outcome, key, by: node, start)
        }
        changeOnesMind(about: name, key, at: node)
    }

    /// How the world was when a write began.
    private struct Start {
        let at: Instant
        let number: UInt64
        let replicaSet: Set<Int>
    }

    private func start(of key: Int, at node: SimulatedNode) -> Start {
        let location = Simulation.location(of: History.name(of: key))
        let replicaSet = world.plan.isWatched ? world.replicaSet(of: location, for: node) : []
        return Start(at: world.clock, number: history.lastNumber, replicaSet: replicaSet)
    }

    private func acknowledged(
        _ outcome: Outcome,
        _ key: Int,
        by node: SimulatedNode,
        _ start: Start
    ) -> History.Write? {
        guard case .put(let record, let replies) = outcome, node.isHonest else { return nil }
        let replicas = replies.replicas.compactMap { replica in
            replica.verdict == .stored ? world.byIdentity[replica.identity] : nil
        }
        // A value that some readers may not see was not promised to anybody.
        guard !replicas.isEmpty, replies.unreached.isEmpty else {
            putsFailed += 1
            return nil
        }
        // An acknowledged record is on the disk by then, whatever becomes of it later.
        for index in replicas
        where world.nodes[index].isHonest && !world.copyLedger.hasKept(record, at: index) {
            world.violate("durability", "key \(key): n\(index) acknowledged what its disk never had")
        }
        let replicaSet = self.start(of: key, at: node).replicaSet
        let write = History.Write(
            author: node.index,
            record: record,
            replicas: replicas,
            replicaSet: replicaSet == start.replicaSet ? replicaSet : nil,
            startedAt: start.at,
            acknowledgedAt: world.clock,
            number: start.number
        )
        checkOrder(of: write, key)
        history.record(write, of: key)
        return write
    }

    // MARK: Reading

    func get(
        _ key: Int,
        at reader: SimulatedNode?,
        replicas: Int? = nil,
        isExhaustive: Bool? = nil,
        then: ((GetOutcome) -> Void)? = nil
    ) {
        guard let reader else { return }
        let isExhaustive = isExhaustive ?? chance.happens(0.15)
        let read = Read(
            key: key,
            reader: reader,
            replicas: replicas ?? mix.replicas[chance.index(below: mix.replicas.count)],
            isExhaustive: isExhaustive,
            startedAt: world.clock,
            wallAtStart: world.now(of: reader).unixMilliseconds,
            policyAtStart: reader.policy,
            preconditions: preconditions(of: key, at: reader)
        )
        let operation = DHTEngine.Operation.get(
            key: History.name(of: key),
            author: nil,
            replicas: read.replicas,
            isExhaustive: read.isExhaustive
        )
        world.submit(operation, at: reader) { [self] outcome in
            guard case .got(let got) = outcome else { return }
            check(read, got)
            bring(got, to: read)
            then?(got)
        }
    }

    /// Reads on, if the newest of what was found is too long for a record.
    private func bring(_ outcome: GetOutcome, to read: Read) {
        guard let record = outcome.found.first?.record, record.reference != nil, read.reader.isUp else {
            return
        }
        // A liar may be alone to have its own value, and spoil it.
        let count = world.byIdentity[record.author].map { world.nodes[$0].isHonest } ?? false ? 1 : 0
        contentsRead += count
        world.submit(.fetch(record, from: outcome.contacts), at: read.reader) { [self] outcome in
            guard case .fetched(let bytes) = outcome else { return }
            guard let bytes else {
                contentsMissed += count
                return
            }
            if !history.isGenuine(bytes, of: record) {
                world.violate("authenticity", "key \(read.key): a long value is not what was written")
            }
        }
    }

    /// Stores something nobody asked for, under keys nobody reads.
    func flood(from node: SimulatedNode) {
        let put = DHTEngine.Operation.Put(
            key: Array("flood \(chance.next())".utf8),
            value: chance.bytes(RecordLayout.maximumValueLength),
            lifetime: RecordLayout.lifetimes.upperBound
        )
        world.submit(.put(put), at: node) { _ in }
    }

    private func ping() {
        guard let asker = someone(), let asked = someone(), asker !== asked else { return }
        world.submit(.ping(asked.identity), at: asker) { _ in }
    }
}
