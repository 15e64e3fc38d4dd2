import DHTCrypto
import DHTEnvelope
import Testing

@testable import DHTCore
@testable import DHTEngine

/// Long values without an engine: what is asked for and stored is done here.
struct ContentTransfersTests {
    private var transfers = ContentTransfers()
    private let identity = LiarTests.contact(9).identity
    private let sender = LiarTests.contact(1)
    private let content: Content
    private let record: Record
    private var seconds: UInt64 = 100

    init() throws {
        content = try #require(Content(ContentTests.bytes(150_000)))
        let draft = RecordCodec.Draft(
            kind: .reference,
            key: [1],
            revision: Revision(unixMilliseconds: 1_700_000_000_000, above: nil),
            lifetime: 3600,
            value: content.reference.encoded
        )
        let bytes =
            RecordCodec.fields(of: draft, by: sender.identity)
            + [UInt8](repeating: 0, count: RecordLayout.signatureLength)
        record = Record(checkedBytes: bytes, location: sha1([1]), digest: Digest(blake2bOf: bytes))
    }

    private mutating func steps(_ event: (inout ContentTransfers, inout ContentTurn) -> Void)
        -> [ContentTurn.Step]
    {
        let instant = Instant(nanoseconds: 0) + .seconds(seconds)
        var turn = ContentTurn(
            at: Now(instant: instant, unixMilliseconds: 1_700_000_000_000 + seconds * 1000),
            identity: identity,
            table: RoutingTable(own: identity.nodeID),
            catalog: Catalog(),
            revisions: [:]
        )
        event(&transfers, &turn)
        return turn.steps
    }

    /// Does what is wanted, chunk by chunk, until nothing is; returns what else was to be done. `store`: how
    /// it fares.
    private mutating func run(
        _ first: [ContentTurn.Step],
        store: StorageOutcome = .applied,
        chunk: (Request) -> Response
    ) -> [ContentTurn.Step] {
        var (open, rest) = (first, [ContentTurn.Step]())
        while !open.isEmpty {
            let step = open.removeFirst()
            switch step {
            case .ask(let id, let contact, let request):
                var call = OutgoingCall(
                    id: id,
                    contact: contact,
                    request: request,
                    isConfigured: false,
                    transaction: 1,
                    needsPingFirst: false,
                    firstSent: Instant(nanoseconds: 0)
                )
                call.transmissions = 1
                let response = chunk(request)
                open += steps { $0.chunkAnswered(call, response, &$1) }
            case .perform(.apply(let ticket, _)) where ticket.isContent,
                .perform(.importPiece(let ticket, _, _)):
                open += steps { $0.complete(ticket, with: store, &$1) }
            default: rest.append(step)
            }
        }
        return rest
    }

    private static func chunks(of content: Content) -> (Request) -> Response {
        { request in
            guard case .findChunk(_, let part, let chunk) = request else { return .absent }
            let bytes =
                switch part {
                case .outline: content.outline
                case .piece(let index): content.piece(index) ?? []
                }
            return .chunk(Array(bytes.dropFirst(Int(chunk) * 1000).prefix(1000)))
        }
    }

    /// What the sender is said to have done.
    private func reports(_ steps: [ContentTurn.Step]) -> [Conduct.Offence] {
        steps.compactMap { step in
            if case .report(let offence, sender.identity) = step { offence } else { nil }
        }
    }

    private func isWanted(_ response: Response?) -> Bool {
        if case .wanted(0)? = response { true } else { false }
    }

    @Test mutating func `content of a record that is offered is brought from its sender, and kept`() {
        let (record, reference, sender) = (record, content.reference, sender)
        var answer: Response?
        let first = steps { answer = $0.offered(record, reference, by: sender, &$1) }
        #expect(isWanted(answer))
        #expect(run(first, chunk: Self.chunks(of: content)).isEmpty)
        #expect(transfers.inventory.isComplete(reference))
        #expect(transfers.incoming.isEmpty && transfers.calls.isEmpty && transfers.tickets.isEmpty)
        #expect(transfers.counters.chunksFetched == 151)
    }

    @Test mutating func `a sender that has not what it offers is refused, and told of`() {
        let (record, reference, sender) = (record, content.reference, sender)
        let first = steps { _ = $0.offered(record, reference, by: sender, &$1) }
        let rest = run(first) { _ in .absent }
        #expect(reports(rest) == [.undeliveredContent])
        #expect(transfers.counters.abandoned == 1)
        var answer: Response?
        _ = steps { answer = $0.offered(record, reference, by: sender, &$1) }
        guard case .refused(.unavailable)? = answer else {
            Issue.record("it is brought again at once")
            return
        }
    }

    @Test mutating func `a member that gives something else is believed no more`() {
        let (record, reference, sender) = (record, content.reference, sender)
        let first = steps { _ = $0.offered(record, reference, by: sender, &$1) }
        let rest = run(first) { _ in .chunk([UInt8](repeating: 1, count: 96)) }
        #expect(reports(rest).contains(.brokenContent))
        #expect(!transfers.inventory.isComplete(reference))
        #expect(transfers.truthful([sender], of: reference.digest, at: .init(nanoseconds: 0)).isEmpty)
    }

    /// Puts a long value of a user; returns what comes of it.
    private mutating func put(store: StorageOutcome) -> ContentTurn.Step? {
        let put = DHTEngine.Operation.Put(key: [1], content: content, lifetime: 3600)
        let first = steps { $0.importContent(of: put, as: OperationID.user(1), &$1) }
        return run(first, store: store) { _ in .absent }.first
    }

    @Test mutating func `a long value of a user is put once it is in our store`() {
        guard case .imported(OperationID.user(1), let put)? = put(store: .applied) else {
            Issue.record("it is not put")
            return
        }
        #expect(put.content == nil)
        #expect(transfers.imports.isEmpty && transfers.inventory.isComplete(content.reference))
    }

    @Test mutating func `a long value for which our store has no room is not put`() {
        guard case .givenUp(OperationID.user(1), _, .quota)? = put(store: .full) else {
            Issue.record("it is not given up")
            return
        }
        #expect(transfers.imports.isEmpty)
    }

    @Test mutating func `a reading that is cancelled asks no more, and one of four begins`() {
        let (record, sender) = (record, sender)
        var asked: [CallID] = []
        for number in 1...5 as ClosedRange<UInt64> {
            let begun = steps { $0.fetch(record, from: [sender], as: OperationID.user(number), &$1) }
            for case .ask(let call, _, _) in begun where number == 1 { asked.append(call) }
            #expect(begun.isEmpty == (number == 5), "four go at once")
        }
        let ended = steps { _ = $0.cancel(OperationID.user(1), &$1) }
        let dropped = ended.compactMap { if case .drop(let call) = $0 { call } else { nil } }
        #expect(!asked.isEmpty && dropped == asked)
        #expect(ended.contains { if case .ask = $0 { true } else { false } })
        #expect(transfers.waiting.isEmpty)
    }

    @Test mutating func `a value that nobody has is read in vain`() {
        let (record, sender) = (record, sender)
        let first = steps { $0.fetch(record, from: [sender], as: OperationID.user(1), &$1) }
        let rest = run(first) { _ in .absent }
        guard case .perform(.finished(_, .fetched(nil)))? = rest.last else {
            Issue.record("it did not end with nothing")
            return
        }
        #expect(transfers.readings.isEmpty)
    }
}
