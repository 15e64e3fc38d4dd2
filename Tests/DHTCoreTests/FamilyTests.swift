import Testing

@testable import DHTCore

/// Contacts of two address families, and nodes that have sockets of one.
struct FamilyTests {
    private func six(_ place: UInt8, port: UInt16 = 4000) -> Endpoint {
        .bytes([0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [place], port: port)
    }

    private func onlySix(_ place: UInt8) -> Contact {
        Contact(identity: .numbered(UInt64(place)), id: NodeID(firstByte: place), endpoint: six(place))
    }

    private func both(_ place: UInt8) -> Contact {
        let four = Contact.at(place)
        return Contact(identity: four.identity, id: four.id, endpoint: four.endpoint, other: six(place))
    }

    @Test func `a contact is reached at an address of ours, the one in use first`() {
        #expect(both(1).reached(by: .all) == both(1))
        #expect(both(1).reached(by: .ipv4) == .at(1))
        #expect(both(1).reached(by: .ipv6) == onlySix(1))
        #expect(onlySix(1).reached(by: .ipv4) == nil)
    }

    @Test func `an answer by the other family adds an address, and does not change the one in use`() throws {
        var table = RoutingTable(own: NodeID(firstByte: 0))
        _ = table.answered(.at(1), at: at(1))
        _ = table.answered(onlySix(1), at: at(2))
        #expect(table.entry(for: NodeID(firstByte: 1))?.contact == both(1))
        _ = table.answered(
            Contact(identity: .numbered(1), id: NodeID(firstByte: 1), endpoint: six(1, port: 9)),
            at: at(3)
        )
        let contact = try #require(table.entry(for: NodeID(firstByte: 1))?.contact)
        #expect(contact.endpoint == Contact.at(1).endpoint && contact.other == six(1, port: 9))
    }

    @Test func `a contact that did not answer at one address is asked at the other`() {
        var table = RoutingTable(own: NodeID(firstByte: 0))
        _ = table.answered(.at(1), at: at(1))
        _ = table.answered(onlySix(1), at: at(2))
        #expect(table.failed(.numbered(1), id: NodeID(firstByte: 1), at: at(3)) == .questionable)
        #expect(table.entry(for: NodeID(firstByte: 1))?.contact.endpoint == six(1))
        _ = table.answered(onlySix(1), at: at(4))
        let contact = table.entry(for: NodeID(firstByte: 1))?.contact
        #expect(contact?.endpoint == six(1) && contact?.other == Contact.at(1).endpoint)
    }

    @Test func `who cannot be reached is none of the closest`() {
        var table = RoutingTable(own: NodeID(firstByte: 0))
        for contact in [.at(1), onlySix(2), .at(4), onlySix(8)] { _ = table.answered(contact, at: at(1)) }
        let target = NodeID(firstByte: 2)
        #expect(table.closest(to: target, count: 3).places == [2, 1, 4])
        table.families = .ipv4
        #expect(table.closest(to: target, count: 3).places == [1, 4])
        #expect(!table.counts(on: onlySix(2)) && table.counts(on: .at(1)))
    }

    @Test func `a peer is named the closest, and the closest that it can reach for certain`() {
        var table = RoutingTable(own: NodeID(firstByte: 0))
        let contacts: [Contact] = [.at(1), onlySix(2), onlySix(3), .at(16), .at(32), .at(64)]
        for contact in contacts { _ = table.answered(contact, at: at(1)) }
        func named(_ place: Endpoint) -> [UInt8] {
            table.named(to: place, near: NodeID(firstByte: 2), count: 3, excluding: .numbered(99)).places
        }
        #expect(named(.port(1)) == [2, 3, 1, 16, 32])
        #expect(named(six(99)) == [2, 3, 1])
    }

    @Test func `a lookup asks nobody it cannot reach`() {
        var transcript = Transcript(.at(0))
        transcript.node.setFamilies(.ipv4)
        transcript.meet(1)
        transcript.on(at: now(2)) { node, turn in
            node.beginSearch(.refresh, target: NodeID(firstByte: 8), in: &turn)
        }
        let call = transcript.requests.first { $0.contact == .at(1) && $0.request.operation == .findNode }
        transcript.on(at: now(2)) { node, turn in
            guard let call else { return }
            let named = [onlySix(8), both(9)]
            node.answered(call.call, .nodes(named), in: &turn)
        }
        #expect(!transcript.asked.contains(8))
        #expect(transcript.requests.contains { $0.contact == .at(9) && $0.request.operation == .findNode })
        #expect(transcript.node.membership.outOfReach.number(at: at(2)) == 1)
        #expect(transcript.node.membership.outOfReach.isNamer(.numbered(1), at: at(2)))
    }

    @Test func `a peer whose live request came is asked at once, though it was asked on hearsay just now`() {
        var transcript = Transcript(.at(0))
        transcript.meet(1)
        transcript.on(at: now(1)) { node, turn in node.onHints([.at(128)], in: &turn) }
        let call = transcript.requests.first { $0.contact == .at(128) }?.call
        transcript.on(at: now(4)) { node, turn in
            if let call { node.failed(call, in: &turn) }
        }
        transcript.on(at: now(5)) { node, turn in node.onHints([.at(128)], in: &turn) }
        #expect(call != nil && transcript.asked.isEmpty)
        transcript.on(at: now(6)) { node, turn in
            node.handleRequest(
                RequestID(rawValue: 1),
                by: .at(128),
                .ping(isLeaving: false),
                isLive: true,
                in: &turn
            )
        }
        #expect(transcript.asked == [128])
    }

    @Test func `what comes from one family is put again by who has both, unless another did so`() {
        for (isGivenAgain, isUnderReplicated) in [(false, true), (true, false)] {
            var transcript = Transcript(.at(0))
            for contact in [.at(1), onlySix(2)] { transcript.hear(contact, at: 0) }
            transcript.hear(.at(3), at: 0)
            transcript.hear(onlySix(3), at: 0)
            #expect(transcript.node.isMixed)
            let givers: [Contact] = isGivenAgain ? [.at(1), .at(3)] : [.at(1)]
            for (number, giver) in givers.enumerated() {
                transcript.on(at: now(1)) { node, turn in
                    node.handleRequest(
                        RequestID(rawValue: UInt64(number)),
                        by: giver,
                        .store(.sample(at: 0), condition: nil),
                        isLive: true,
                        in: &turn
                    )
                }
            }
            #expect((transcript.node.underReplicated == 1) == isUnderReplicated)
        }
    }

    @Test func `that somebody did not take it is not undone by who gives it again and reaches all`() {
        var transcript = Transcript(.at(0))
        for contact in [.at(1), onlySix(2), .at(3), onlySix(3)] { transcript.hear(contact, at: 0) }
        let record = Record.sample(at: 0)
        let place = record.id
        for number in 0..<2 {
            transcript.on(at: now(1)) { node, turn in
                node.handleRequest(
                    RequestID(rawValue: UInt64(number)),
                    by: .at(3),
                    .store(record, condition: nil),
                    isLive: true,
                    in: &turn
                )
                if number == 0 {
                    node.catalog.record(.underReplicated, of: record.digest, at: place, second: 1)
                }
            }
        }
        #expect(transcript.node.underReplicated == 1)
    }

    @Test func `who passes a record on takes on the newer one that stands in its way`() {
        var transcript = Transcript(.at(0))
        for contact in [.at(1), onlySix(2), .at(3), onlySix(3)] { transcript.hear(contact, at: 0) }
        let (old, newer) = (Record.sample(at: 0), Record.sample(at: 0, revision: 2))
        let asked: [Request] = [.store(old, condition: nil), .passOn(old, condition: nil)]
        for (number, request) in asked.enumerated() {
            transcript.on(at: now(10)) { node, turn in
                node.handleRequest(
                    RequestID(rawValue: UInt64(number)),
                    by: .at(1),
                    request,
                    isLive: true,
                    in: &turn
                )
            }
            transcript.answers[2] = .conflict(newer)
            transcript.answerAll(at: 10)
        }
        let entry = transcript.node.catalog.entry(at: newer.location, by: newer.author)
        #expect(entry?.revision == newer.revision)
        #expect(entry?.replicationState == .underReplicated)
    }

    @Test func `a write counts for each kind of readers when two at most of those they ask lack it`() {
        var put = PutOperation(
            record: .sample(at: 0),
            condition: nil,
            own: NodeID(firstByte: 0xFF),
            identity: .numbered(0xFF),
            lookups: 1,
            width: 3,
            audiences: PutAudience.every
        )
        let contacts = [.at(1), .at(2), .at(3), both(4), onlySix(5), onlySix(6), onlySix(7)]
        #expect(put.lookedUp([])?.isEmpty == true)
        #expect(put.begin(contacts).places == [1, 2, 3, 4, 5, 6])
        for place in [1, 2, 3] as [UInt8] { _ = put.answered(.numbered(UInt64(place)), .stored) }
        put.notice(at(0))
        #expect(put.deadline == nil && put.unreached == .ipv6)
        #expect(put.answered(.numbered(5), .timeout).places == [7])
        _ = put.answered(.numbered(4), .stored)
        _ = put.answered(.numbered(6), .stored)
        put.notice(at(0))
        #expect(put.deadline != nil && put.unreached == [])
        #expect(put.outcome.unreached == [])
    }
}
