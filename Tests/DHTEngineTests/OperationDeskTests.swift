import DHTCrypto
import DHTEnvelope
import Testing

@testable import DHTCore
@testable import DHTEngine

struct OperationDeskTests {
    private static let start: UInt64 = 1_700_000_000_000
    private var desk = OperationDesk()
    private let identity = LiarTests.contact(1).identity
    private let others = (2...5).map { LiarTests.contact($0) }
    private let first = OperationID.user(1)
    private let second = OperationID.user(2)

    private func now(_ seconds: UInt64 = 0) -> Now {
        Now(
            instant: Instant(nanoseconds: 0) + .seconds(seconds),
            unixMilliseconds: Self.start + seconds * 1000
        )
    }

    private func surroundings(catalogued: Revision? = nil) -> OperationDesk.Surroundings {
        .init(identity: identity, catalogued: catalogued, isAlone: false)
    }

    private func put(_ value: String, isKept: Bool = false, condition: Request.Condition? = nil)
        -> DHTEngine.Operation
    {
        let (key, value) = (Array("key".utf8), Array(value.utf8))
        return .put(.init(key: key, value: value, lifetime: 600, condition: condition, isKept: isKept))
    }

    private mutating func begin(
        _ operation: DHTEngine.Operation,
        as id: OperationID,
        at seconds: UInt64 = 0
    ) -> [OperationDesk.Step] {
        desk.begin(operation, as: id, in: surroundings(), at: now(seconds))
    }

    private mutating func finish(
        _ id: OperationID,
        _ outcome: KademliaOutcome,
        at seconds: UInt64 = 0
    ) -> [OperationDesk.Step] {
        desk.finish(id, outcome, in: surroundings(), at: now(seconds))
    }

    /// Signs what the steps want signed.
    private mutating func sign(_ steps: [OperationDesk.Step], as id: OperationID) throws -> Record {
        var record: Record?
        for case .sign(let signing) in steps {
            let bytes =
                RecordCodec.fields(of: signing.draft, by: identity)
                + [UInt8](repeating: 0, count: RecordLayout.signatureLength)
            let signed = Record(
                checkedBytes: bytes,
                location: sha1(signing.draft.key),
                digest: Digest(blake2bOf: bytes)
            )
            guard case .put(signed, _, _) = desk.signed(signed, by: signing, as: id) else {
                Issue.record("the core is not asked to put it")
                continue
            }
            record = signed
        }
        return try #require(record)
    }

    private func outcome(_ verdict: PutOutcome.Verdict) -> KademliaOutcome {
        .put(PutOutcome(replicas: others.map { .init(identity: $0.identity, verdict: verdict) }))
    }

    private func found(_ record: Record?) -> KademliaOutcome {
        var outcome = GetOutcome(
            found: record.map { [.init(record: $0, copies: 4)] } ?? [],
            answered: 4,
            asked: 4
        )
        outcome.contacts = others
        return .got(outcome)
    }

    /// The next renewal, and when it begins: asked for every five seconds.
    private mutating func renewal() throws -> (name: OperationID, seconds: UInt64) {
        for seconds in stride(from: 5, to: 600, by: 5) as StrideTo<UInt64> {
            if let due = desk.dueRenewals(at: now(seconds)).first { return (due.name, seconds) }
        }
        let none: OperationID? = nil
        return (try #require(none), 0)
    }

    private func endings(_ steps: [OperationDesk.Step]) -> [Outcome] {
        steps.compactMap { if case .finished(let outcome) = $0 { outcome } else { nil } }
    }

    @Test mutating func `of two writes the one begun later has the higher revision`() throws {
        let earlier = begin(put("one"), as: first)
        let later = begin(put("two"), as: second)
        let (one, two) = (try sign(earlier, as: first), try sign(later, as: second))
        #expect(one.revision < two.revision)
        // Refused for the later one, which is not passed over.
        let steps = finish(first, outcome(.conflict(two)))
        guard case .put(_, let outcome)? = endings(steps).first else {
            Issue.record("it did not end")
            return
        }
        #expect(outcome.stored == 0)
        #expect(desk.order.revisions[one.location]?.last == two.revision)
    }

    @Test mutating func `a write that finds a newer revision of ours is signed anew, above it`() throws {
        desk.remember([:])
        let one = try sign(begin(put("one"), as: first, at: 100), as: first)
        var other = OperationDesk()
        swap(&desk, &other)
        let two = try sign(begin(put("two"), as: second), as: second)
        let anew = try sign(finish(second, outcome(.conflict(one))), as: second)
        #expect(anew.revision > one.revision && two.revision < one.revision)
        #expect(endings(finish(second, outcome(.stored))).count == 1)
    }

    @Test mutating func `what nobody took leaves the revision before it`() throws {
        let one = try sign(begin(put("one"), as: first), as: first)
        _ = finish(first, outcome(.stored))
        _ = try sign(begin(put("two"), as: second, at: 1), as: second)
        let steps = finish(second, outcome(.refused(.denied)), at: 1)
        let remembered = steps.compactMap { step -> OwnRevisions? in
            if case .remember(let revisions, _) = step { revisions } else { nil }
        }
        #expect(remembered == [OwnRevisions(one.revision)])
    }

    @Test mutating func `a condition that does not hold ends the put before anything is signed`() throws {
        let one = try sign(begin(put("one"), as: first), as: first)
        _ = finish(first, outcome(.stored))
        let steps = begin(put("two", condition: .absent), as: second)
        #expect(steps.count == 1)
        guard case .conflict(let standing)? = endings(finish(second, found(one))).first else {
            Issue.record("it is no conflict")
            return
        }
        #expect(standing == one)
        #expect(desk.operations.isEmpty && desk.order.count == 0)
        #expect(desk.order.revisions[one.location]?.last == one.revision)
    }

    @Test mutating func `a kept value is read and signed anew at half its lifetime`() throws {
        let one = try sign(begin(put("one", isKept: true), as: first), as: first)
        _ = finish(first, outcome(.stored))
        #expect(desk.takeRenewedChanges().count == 1)
        #expect(desk.dueRenewals(at: now(5)).isEmpty)
        let (name, seconds) = try renewal()
        #expect((300...310).contains(seconds))
        let two = try sign(finish(name, found(one), at: seconds), as: name)
        #expect(two.revision > one.revision && two.value == one.value)
        #expect(endings(finish(name, outcome(.stored), at: seconds)).isEmpty, "nobody asked for it")
        #expect(desk.kept[one.location]?.value.revision == two.revision)
    }

    @Test(arguments: [true, false])
    mutating func `of two writes under way the later one says whether the key is kept`(isKept: Bool) throws {
        let earlier = begin(put("one", isKept: isKept), as: first)
        let later = begin(put("two", isKept: !isKept), as: second)
        let one = try sign(earlier, as: first)
        _ = try sign(later, as: second)
        _ = finish(second, outcome(.stored))
        _ = finish(first, outcome(.stored))
        #expect((desk.kept[one.location] != nil) == !isKept)
    }

    @Test mutating func `a value that somebody else replaced is renewed no more`() throws {
        let one = try sign(begin(put("one", isKept: true), as: first), as: first)
        _ = finish(first, outcome(.stored))
        let (name, seconds) = try renewal()
        var bytes = one.bytes
        bytes.replaceSubrange(one.key.endIndex..<one.key.endIndex + 32, with: others[0].identity.bytes)
        bytes[one.key.endIndex + 32 + 5] &+= 1
        let theirs = Record(checkedBytes: bytes, location: one.location, digest: Digest(blake2bOf: bytes))
        #expect(finish(name, found(theirs), at: seconds).isEmpty)
        #expect(desk.kept.states.map(\.phase) == [.superseded(by: others[0].identity)])
    }

    @Test mutating func `a cancelled read is over, and a short put runs to its end`() throws {
        _ = begin(.get(key: [1], author: nil, replicas: 3, isExhaustive: false), as: first)
        #expect(desk.isCancellable(first))
        #expect(desk.cancel(first, at: now()) == nil)
        #expect(finish(first, found(nil)).isEmpty)
        _ = try sign(begin(put("one"), as: second), as: second)
        #expect(!desk.isCancellable(second))
        desk.withdraw(second)
        #expect(desk.order.count == 1)
    }
}
