import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope

/// The administrators of a world: they admit and revoke, replace each other, and sign two rosters of one
/// serial when nobody looks.
final class RosterOffice {
    private let world: World
    private var chance: SeededRandom
    /// Of the keys of administrators, each the heir of the one before.
    private var seeds: [[UInt8]]
    private var text: RosterText
    private var serial: UInt64 = 1
    private var isActive = false
    private var revoked = 0
    /// The serial of the roster that names the heir, as long as it names the administrator before, too.
    private var handover: UInt64?
    /// Members that no roster names yet.
    private var waiting: [SimulatedNode]
    /// Every roster that was signed, by its mark.
    private(set) var issued: [RosterMark: Roster] = [:]
    /// The newest, which everybody is to have in the end; of two with one serial either.
    private(set) var newest: Roster

    private static let mostRevoked = 2
    /// In milliseconds.
    private static let pause: ClosedRange<UInt64> = 10_000...90_000

    /// `waiting`: so many nodes, the last ones, are admitted later.
    init(_ world: World, waiting count: Int, chance: SeededRandom) {
        (self.world, self.chance) = (world, chance)
        let seed = self.chance.bytes(32)
        seeds = [seed]
        waiting = Array(world.nodes.suffix(count))
        let administrator = Allowlist.Administrator(identity: Self.key(seed).identity, name: "root0")
        text = RosterText(
            members: world.nodes.dropLast(count).map { .init(identity: $0.identity, name: "n\($0.index)") },
            administrators: [administrator]
        )
        newest = Self.sign(text, 1, Self.key(seed), world.network)
        issued[newest.mark] = newest
        for node in world.nodes { node.disk.roster = newest }
    }

    private static func key(_ seed: [UInt8]) -> SigningKey {
        var bytes = seed
        return SigningKey(seed: SecretBytes(wiping: &bytes))
    }

    private static func sign(
        _ text: RosterText,
        _ serial: UInt64,
        _ key: borrowing SigningKey,
        _ network: NetworkID
    ) -> Roster {
        do {
            return try Roster.sign(
                text.bytes,
                serial: serial,
                time: serial,
                with: key,
                network: network,
                file: "roster"
            )
        } catch { preconditionFailure("\(error)") }
    }

    func start() {
        isActive = true
        next()
    }

    /// The last roster ends what two of one serial began; whoever is still waiting stays out.
    func stop() {
        isActive = false
        publish(text)
    }

    private func next() {
        world.after(.milliseconds(chance.span(in: Self.pause))) { [self] in
            guard isActive else { return }
            switch chance.index(below: 4) {
            case 0: revoke()
            case 1: admit()
            case 2: succeed()
            default: signTwice()
            }
            next()
        }
    }

    // MARK: Deeds

    private func revoke() {
        let candidates = world.nodes.filter { $0.index > 1 && !$0.isRevoked && !isOut($0) }
        guard revoked < Self.mostRevoked, candidates.count > 5,
            let node = candidates.randomElement(using: &chance)
        else { return }
        var next = text
        next.revoke(node.identity, name: "n\(node.index)")
        guard publish(next, but: node) else { return }
        revoked += 1
        world.recordCopies(of: node, isThere: false)
        node.isRevoked = true
        world.trace.tell(world.clock) { "n\(node.index) is revoked by roster \(self.serial)" }
    }

    private func admit() {
        guard let node = waiting.first else { return }
        var next = text
        next.admit(.init(identity: node.identity, name: "n\(node.index)"))
        guard publish(next) else { return }
        waiting.removeFirst()
        node.disk.roster = newest
        world.trace.tell(world.clock) { "n\(node.index) is admitted by roster \(self.serial)" }
        let seeds = world.nodes.filter { $0.isUp && $0.isHonest }.map(\.index)
        world.start(node, seeds: Array(seeds.prefix(2)))
    }

    /// A new administrator is named. It signs, and the one before is dropped, when everybody has that roster:
    /// whoever never saw it could follow no more.
    private func succeed() {
        if let last = handover {
            guard everybodyHolds(last) else { return }
            var alone = text
            alone.strikeOut(Self.key(seeds[seeds.count - 2]).identity)
            if publish(alone) { handover = nil }
            return
        }
        let seed = chance.bytes(32)
        let heir = Self.key(seed).identity
        var both = text
        both.name(.init(identity: heir, name: "root\(seeds.count)"))
        guard publish(both) else { return }
        seeds.append(seed)
        handover = serial
    }

    private func everybodyHolds(_ serial: UInt64) -> Bool {
        world.nodes.allSatisfy { node in
            !node.isHonest || node.isRevoked || isOut(node) || node.disk.roster?.serial ?? 0 >= serial
        }
    }

    /// Two rosters of one serial, at two nodes.
    private func signTwice() {
        let holders = holders(but: nil)
        guard let one = holders.randomElement(using: &chance), let other = holders.last(where: { $0 !== one })
        else { return }
        serial += 1
        var remark = text
        remark.remark("twin of \(serial)")
        for (node, text) in [(one, text), (other, remark)] {
            let roster = Self.sign(text, serial, signer, world.network)
            issued[roster.mark] = roster
            newest = roster
            publish(roster, at: node)
        }
    }

    // MARK: Publishing

    /// The heir signs when everybody knows it.
    private var signer: SigningKey { Self.key(seeds[handover == nil ? seeds.count - 1 : seeds.count - 2]) }

    /// Whether the node is not admitted yet.
    func isOut(_ node: SimulatedNode) -> Bool { waiting.contains { $0 === node } }

    /// Honest nodes that hold the newest serial: any other may not take the next one over.
    private func holders(but excluded: SimulatedNode?) -> [SimulatedNode] {
        world.nodes.filter { node in
            node.isUp && node.isHonest && node !== excluded && node.disk.roster?.serial == serial
        }
    }

    @discardableResult
    private func publish(_ next: RosterText, but excluded: SimulatedNode? = nil) -> Bool {
        guard let node = holders(but: excluded).randomElement(using: &chance) else { return false }
        text = next
        serial += 1
        newest = Self.sign(text, serial, signer, world.network)
        issued[newest.mark] = newest
        publish(newest, at: node)
        return true
    }

    private func publish(_ roster: Roster, at node: SimulatedNode) {
        world.act(node) { machine, turn in machine.publish(roster, in: &turn) }
    }
}
