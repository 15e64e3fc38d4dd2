import Testing

@testable import DHTCore

/// Who gives a record to whom, in an 8-bit key space with three replicas. The record is at 0: the number of
/// a node is its distance.
struct RepairRuleTests {
    private let replicas = 3

    private func change(
        _ place: UInt8,
        _ kind: ContactChange.Kind,
        at seconds: UInt64 = 100,
        heard: UInt64 = 50
    )
        -> ContactChange
    {
        ContactChange(contact: .at(place), kind: kind, at: at(seconds), lastHeard: at(heard))
    }

    /// What the node at `own`, which knows `contacts`, gives to whom.
    private func gifts(
        of own: UInt8,
        knowing contacts: [UInt8],
        after changes: [ContactChange],
        recent: [ContactChange] = [],
        turn: RepairRule.RepairTurn = .nearest,
        offeredAt: UInt32 = 10,
        isAllReachable: Bool = false
    ) -> [UInt8] {
        let rule = RepairRule(
            own: NodeID(firstByte: own),
            replicas: replicas,
            turn: turn,
            changes: changes,
            recent: recent + changes
        )
        let known = contacts.map { Contact.at($0) }.sorted(around: NodeID(firstByte: 0))
        return rule.successors(
            of: NodeID(firstByte: 0),
            offeredAt: offeredAt,
            isAllReachable: isAllReachable,
            among: Array(known.prefix(rule.width))
        ).places
    }

    // MARK: Who comes

    @Test func `of all who had the record the nearest gives it to who came`() {
        let came = [change(2, .came)]
        #expect(gifts(of: 1, knowing: [2, 3, 4], after: came) == [2])
        #expect(gifts(of: 3, knowing: [1, 2, 4], after: came).isEmpty)
        #expect(gifts(of: 4, knowing: [1, 2, 3], after: came).isEmpty)
    }

    @Test func `later the farthest gives it, who is no longer among the closest, and knows all who are`() {
        let came = [change(2, .came)]
        #expect(gifts(of: 4, knowing: [1, 2, 3], after: came, turn: .farthest) == [2])
        #expect(gifts(of: 3, knowing: [1, 2, 4], after: came, turn: .farthest).isEmpty)
        #expect(gifts(of: 1, knowing: [2, 3, 4], after: came, turn: .farthest).isEmpty)
    }

    @Test func `who came as the nearest of all gets it from the next one`() {
        #expect(gifts(of: 2, knowing: [1, 3, 4], after: [change(1, .came)]) == [1])
    }

    @Test func `who came beyond the closest gets nothing`() {
        for turn in [RepairRule.RepairTurn.nearest, .farthest] {
            #expect(gifts(of: 1, knowing: [2, 3, 9], after: [change(9, .came)], turn: turn).isEmpty)
            #expect(gifts(of: 3, knowing: [1, 2, 9], after: [change(9, .came)], turn: turn).isEmpty)
        }
    }

    @Test func `where there are fewer nodes than replicas everybody who comes gets it`() {
        #expect(gifts(of: 1, knowing: [200], after: [change(200, .came)]) == [200])
    }

    @Test func `two who came at once both get it, and neither is counted on to give`() {
        let came = [change(1, .came), change(2, .came)]
        #expect(gifts(of: 3, knowing: [1, 2, 4, 5], after: came) == [1, 2])
        // The closest were 3, 4 and 5.
        #expect(gifts(of: 5, knowing: [1, 2, 3, 4], after: came, turn: .farthest) == [1, 2])
    }

    @Test func `two nodes alone give to each other, and nobody acts twice`() {
        #expect(gifts(of: 1, knowing: [2], after: [change(2, .came)], turn: .farthest).isEmpty)
    }

    // MARK: Who goes

    @Test func `when one of the closest goes the next one beyond them gets it`() {
        let went = [change(2, .went)]
        #expect(gifts(of: 1, knowing: [3, 4, 5], after: went) == [4])
        #expect(gifts(of: 3, knowing: [1, 4, 5], after: went).isEmpty)
        #expect(gifts(of: 3, knowing: [1, 4, 5], after: went, turn: .farthest) == [4])
        #expect(gifts(of: 1, knowing: [3, 4, 5], after: went, turn: .farthest).isEmpty)
    }

    @Test func `who goes beyond the closest is not missed`() {
        #expect(gifts(of: 1, knowing: [2, 3, 4], after: [change(9, .went)]).isEmpty)
    }

    @Test func `when two go two move up`() {
        #expect(gifts(of: 1, knowing: [4, 5, 6], after: [change(2, .went), change(3, .went)]) == [4, 5])
    }

    @Test func `who replaces one that went gets it, and nobody else`() {
        let changes = [change(2, .went), change(3, .came)]
        #expect(gifts(of: 1, knowing: [3, 4, 5], after: changes) == [3])
        #expect(gifts(of: 4, knowing: [1, 3, 5], after: changes, turn: .farthest) == [3])
    }

    @Test func `when one goes and too few are left nobody moves up`() {
        #expect(gifts(of: 1, knowing: [3], after: [change(2, .went)]).isEmpty)
    }

    @Test func `who moves up and has it already gives nothing to itself`() {
        // 4 kept it from before.
        #expect(gifts(of: 4, knowing: [1, 3, 5], after: [change(2, .went)]).isEmpty)
        #expect(gifts(of: 1, knowing: [3, 4, 5], after: [change(2, .went)]) == [4])
    }

    // MARK: Who comes back

    @Test func `who comes back gets what was offered since it was heard last`() {
        let returned = [change(2, .returned(since: 50))]
        #expect(gifts(of: 1, knowing: [2, 3, 4], after: returned, offeredAt: 50) == [2])
        #expect(gifts(of: 1, knowing: [2, 3, 4], after: returned, offeredAt: 49).isEmpty)
    }

    @Test func `who put it to too few gives it to all who come or return, also when others are nearer`() {
        let returned = [change(3, .returned(since: 50))]
        #expect(gifts(of: 2, knowing: [1, 3], after: returned, offeredAt: 50).isEmpty)
        #expect(gifts(of: 2, knowing: [1, 3], after: returned, offeredAt: 50, isAllReachable: true) == [3])
        #expect(gifts(of: 2, knowing: [1, 3], after: returned, offeredAt: 49, isAllReachable: true).isEmpty)
        #expect(gifts(of: 2, knowing: [1, 3], after: [change(3, .came)], isAllReachable: true) == [3])
        // Whoever moves up, all others see as well.
        #expect(gifts(of: 2, knowing: [1, 4, 5], after: [change(3, .went)], isAllReachable: true).isEmpty)
    }

    @Test func `who was emptied without having been missed gets everything`() {
        let emptied = [change(2, .emptied)]
        #expect(gifts(of: 1, knowing: [2, 3, 4], after: emptied, offeredAt: 49) == [2])
        #expect(gifts(of: 3, knowing: [1, 2, 4], after: emptied, turn: .farthest) == [2])
        #expect(gifts(of: 4, knowing: [1, 2, 3], after: emptied, turn: .farthest).isEmpty)
    }

    @Test func `one that went and is there again is not missed`() {
        #expect(gifts(of: 1, knowing: [2, 3, 4], after: [change(2, .went)]).isEmpty)
    }

    // MARK: Whose turn another takes

    @Test func `who follows one that went makes up for what that one did not do since it was heard last`() {
        // 1 ought to have given it to 2, which came at 60; it was last heard at 50, and is found gone at 100.
        let earlier = [change(2, .came, at: 60)]
        let went = [change(1, .went)]
        #expect(gifts(of: 3, knowing: [2, 4, 5], after: went, recent: earlier) == [2])
        #expect(gifts(of: 3, knowing: [2, 4, 5], after: went).isEmpty, "2 gives it to 4")
        let justBefore = [change(2, .came, at: 20)]
        // 1 may have failed to.
        #expect(gifts(of: 3, knowing: [2, 4, 5], after: went, recent: justBefore) == [2])
        let before = [change(2, .came, at: 19)]
        #expect(gifts(of: 3, knowing: [2, 4, 5], after: went, recent: before).isEmpty)
    }

    @Test func `what was offered to all since a change needs no second giver`() {
        let came = [change(2, .came, at: 100)]
        #expect(gifts(of: 4, knowing: [1, 2, 3], after: came, turn: .farthest, offeredAt: 101).isEmpty)
        #expect(gifts(of: 1, knowing: [2, 3, 4], after: came, offeredAt: 101) == [2])
    }

    // MARK: All together

    /// Every node knows everybody, and sees the same: then the nearest giver sees to it that the closest
    /// all have the record, as long as one that had it is left; and the farthest gives nobody else anything.
    @Test(arguments: 1...100 as ClosedRange<UInt64>)
    func `after any changes the closest all have it`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var alive = Set((1...12).map { _ in UInt8.random(in: 1...255, using: &generator) })
        var holders = Set(alive.sorted().prefix(replicas))
        for _ in 0..<8 {
            let stays = holders.sorted().randomElement(using: &generator)
            let gone = alive.sorted().filter { $0 != stays && generator.oneIn(4) }
            let newcomers = (0..<Int.random(in: 0...2, using: &generator)).map { _ in
                UInt8.random(in: 1...255, using: &generator)
            }
            let came = Set(newcomers).subtracting(alive)
            alive = alive.subtracting(gone).union(came)
            holders.subtract(gone)
            let changes = gone.map { change($0, .went) } + came.sorted().map { change($0, .came) }
            var (first, second): ([UInt8], [UInt8]) = ([], [])
            for giver in holders.sorted() {
                let others = alive.subtracting([giver]).sorted()
                first += gifts(of: giver, knowing: others, after: changes)
                second += gifts(of: giver, knowing: others, after: changes, turn: .farthest)
            }
            #expect(Set(first).isSuperset(of: second))
            holders.formUnion(first)
            #expect(holders.isSuperset(of: alive.sorted().prefix(replicas)))
        }
    }
}
