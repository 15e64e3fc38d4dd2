import Testing

@testable import DHTCore

/// What becomes of contacts when the network of the node's own machine changes, or seems to be gone.
struct NetworkChangesTests {
    private var transcript = Transcript(.at(0b0000_0001))
    private let pong = Response.pong(observed: .port(1), endpoints: [])

    private mutating func change(hasMoved: Bool, at seconds: UInt64) {
        transcript.on(at: now(seconds)) { node, turn in
            node.networkChanged(hasMoved: hasMoved, in: &turn)
        }
    }

    /// The places of those asked whether they are there.
    private var pinged: [UInt8] {
        transcript.requests.filter { $0.request == .ping(isLeaving: false) }.map(\.contact).places
    }

    /// Where the system's refusals of late are to be no matter.
    private var retried: [Endpoint] {
        transcript.actions.compactMap { if case .retry(let endpoint) = $0 { endpoint } else { nil } }
    }

    private mutating func receiveRequest(_ contact: Contact, at seconds: UInt64) {
        transcript.on(at: now(seconds)) { node, turn in
            node.handleRequest(
                RequestID(rawValue: seconds),
                by: contact,
                .ping(isLeaving: false),
                isLive: true,
                in: &turn
            )
        }
    }

    @Test mutating func `after a change whoever is not good is asked at once`() {
        transcript.meet(0x80, 0x81, 0x82)
        transcript.lose(0x81, at: 10)
        change(hasMoved: false, at: 10)
        #expect(pinged == [0x81])
        #expect(retried == [Contact.at(0x81).endpoint])
    }

    @Test mutating func `after a move all are asked, and made to know where we are`() {
        transcript.meet(0x80, 0x81, 0x82, at: 1000)
        change(hasMoved: true, at: 1002)
        #expect(pinged.sorted() == [0x80, 0x81, 0x82])
        // It answers as to somebody whose address it does not know, though we told it two seconds ago.
        let first = transcript.requests.first { $0.contact == .at(0x80) }
        guard let call = first?.call else { return }
        transcript.on(at: now(1002)) { [pong] node, turn in
            node.answered(call, pong, wasLive: false, in: &turn)
        }
        let greeting = transcript.requests.first { $0.contact == .at(0x80) }
        guard case .findNode? = greeting?.request else {
            Issue.record("it is not greeted")
            return
        }
    }

    @Test mutating func `after a change peers of the configuration are looked for at once`() {
        let seed = Contact.at(0x80)
        transcript.on(at: now(1)) { node, turn in
            node.setSeeds([(seed.identity, seed.id)], in: &turn)
        }
        for second in 2..<8 as Range<UInt64> {
            transcript.on(at: now(second)) { node, turn in
                node.resolved(seed: 0, [seed.endpoint], in: &turn)
            }
            guard let call = transcript.requests.first?.call else { continue }
            transcript.on(at: now(second)) { node, turn in node.failed(call, in: &turn) }
        }
        var generator: any RandomNumberGenerator & Sendable = SplitMix64(seed: 1)
        _ = transcript.node.membership.seeds.failed(0, at: at(20), using: &generator)
        change(hasMoved: false, at: 8)
        #expect(transcript.actions.contains(.resolve(seed: 0)))
    }

    @Test mutating func `who counts on nobody asks one after the other, every two seconds`() {
        transcript.meet(0x80, 0x81)
        transcript.lose(0x80, at: 10)
        // Of two that stopped answering long ago neither is due for minutes.
        for second in [10, 20, 40, 80, 160] as [UInt64] {
            for place in [0x80, 0x81] as [UInt8] { transcript.lose(place, at: second) }
        }
        var asked: [UInt8: Int] = [:]
        for second in 161...190 as ClosedRange<UInt64> {
            transcript.on(at: now(second)) { node, turn in node.advance(in: &turn) }
            for place in pinged { asked[place, default: 0] += 1 }
        }
        #expect(asked.count == 2)
        #expect(asked.values.allSatisfy { (6...9).contains($0) })
    }

    @Test mutating func `one that is good ends that`() {
        transcript.meet(0x80, 0x81)
        for second in [10, 20, 40, 80, 160] as [UInt64] { transcript.lose(0x80, at: second) }
        transcript.hear(.at(0x81), at: 160)
        var asked = 0
        for second in 161...190 as ClosedRange<UInt64> {
            transcript.on(at: now(second)) { node, turn in node.advance(in: &turn) }
            asked += pinged.count
        }
        #expect(asked <= 2)
    }

    @Test mutating func `one that is silent and asks something itself is asked, every two seconds at most`() {
        transcript.meet(0x80, 0x81)
        transcript.lose(0x80, at: 100)
        receiveRequest(.at(0x80), at: 101)
        #expect(pinged == [0x80])
        #expect(retried == [Contact.at(0x80).endpoint])
        receiveRequest(.at(0x80), at: 102)
        #expect(pinged == [])
        receiveRequest(.at(0x80), at: 103)
        #expect(pinged == [0x80])
    }

    @Test mutating func `one that asks again before it may be asked is asked soon, and not in minutes`() {
        transcript.meet(0x80, 0x81)
        for second in [10, 20, 40, 80, 160] as [UInt64] { transcript.lose(0x80, at: second) }
        receiveRequest(.at(0x80), at: 161)
        guard let call = transcript.requests.first?.call else {
            Issue.record("it is not asked at once")
            return
        }
        // It does not receive yet: the probe fails. It asks one thing more, and is heard no more.
        transcript.on(at: now(162)) { node, turn in node.failed(call, in: &turn) }
        receiveRequest(.at(0x80), at: 162)
        var asked: [UInt64] = []
        for second in 163...170 as ClosedRange<UInt64> {
            transcript.hear(.at(0x81), at: second)
            transcript.on(at: now(second)) { node, turn in node.advance(in: &turn) }
            if pinged.contains(0x80) { asked.append(second) }
        }
        #expect(asked.first == 164)
    }

    @Test mutating func `who just joined is awake when one that fell silent is to be asked`() {
        transcript.meet(0x80, 0x81)
        transcript.lose(0x80, at: 10)
        transcript.on(at: now(11)) { node, turn in node.advance(in: &turn) }
        guard let call = transcript.requests.first(where: { $0.contact == .at(0x80) })?.call else {
            Issue.record("it is not asked after a second")
            return
        }
        transcript.on(at: now(12)) { node, turn in node.failed(call, in: &turn) }
        transcript.on(at: now(13)) { node, turn in node.advance(in: &turn) }
        #expect(transcript.node.nextDeadline == at(14))
    }

    @Test mutating func `where somebody is said to be is tried whatever the system said of it`() {
        transcript.meet(0x80)
        transcript.on(at: now(5)) { node, turn in node.onHints([.at(0x40)], in: &turn) }
        #expect(pinged == [0x40])
        #expect(retried == [Contact.at(0x40).endpoint])
    }
}
