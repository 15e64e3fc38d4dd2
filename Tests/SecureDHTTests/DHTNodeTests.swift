import Testing

@testable import SecureDHT

@Suite struct DHTNodeTests {
    @Test(arguments: 1...8)
    func `a value put at one node is read at every other`(count: Int) async throws {
        try await Team.running(count, areAcquainted: false) { team in
            // At once, whoever knows whom by now; and at every node as soon as all know each other.
            var options = PutOptions()
            options.minimumCopies = 1
            #expect(try await team.nodes[count - 1].put("bird", for: "early", options: options).stored >= 1)
            for node in team.nodes { #expect(try await node.get("early")?.text == "bird") }
            try await team.acquainted()
            #expect(try await team.nodes[count - 1].put("world", for: "hello").stored == count)
            for node in team.nodes { #expect(try await node.get("hello")?.text == "world") }
        }
    }

    @Test func `bytes come back as they went in`() async throws {
        try await Team.running(2) { team in
            let key = Array("schlüssel/✓".utf8)
            for length in [0, 1, 255, 640, 641, 200_000] {
                let value = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                try await team.nodes[0].put(value, for: key)
                #expect(try await team.nodes[1].get(key)?.value == value)
            }
        }
    }

    @Test func `a lifetime too short for a long value to get anywhere is refused, with one that is not`()
        async throws
    {
        try await Team.running(1) { team in
            let (node, key) = (team.nodes[0], Array("long".utf8))
            let value = [UInt8](repeating: 7, count: 120 * 16_384 + 1)
            var options = PutOptions()
            options.lifetime = .seconds(120)
            let refusal = await #expect(throws: DHTError.self) {
                try await node.put(value, for: key, options: options)
            }
            #expect(refusal?.code == .invalidArgument)
            #expect(refusal?.reason.contains("may take 121 s") == true, "\(String(describing: refusal))")
            options.lifetime = .seconds(121)
            let long = try await node.put(value, for: key, options: options)
            options.lifetime = .seconds(60)
            let short = try await node.put([7], for: key, options: options)
            #expect((long.stored, short.stored) == (1, 1), "a short one goes at once")
        }
    }

    @Test func `a full node is not said to mind the author`() async throws {
        var team = try Team(1)
        var configuration = team.configuration(of: 0)
        configuration.limits.records = 1
        let node = try await team.start(0, configuration)
        try await node.put("value", for: "first")
        let refusal = await #expect(throws: DHTError.self) { try await node.put("value", for: "second") }
        #expect(refusal?.code == .partial)
        #expect(refusal?.reason.contains("it is full, or keeps no more of this author's") == true)
        await team.stop()
    }

    @Test func `nothing found is no error`() async throws {
        try await Team.running(3) { team in
            #expect(try await team.nodes[0].get("nothing") == nil)
            let result = try await team.nodes[0].getAll("nothing")
            #expect(result.values.isEmpty)
            #expect(result.answered == 2)
        }
    }

    @Test func `a task that is cancelled while it asks is told so, and nothing else`() async throws {
        try await Team.running(2) { team in
            let (node, key) = (team.nodes[0], Array("nothing".utf8))
            await team.nodes[1].abandon()
            // Each asks on and on, so that most are asking when they are cancelled, however late that is.
            let asking = (0..<16).map { _ in
                Task {
                    while !Task.isCancelled {
                        do { _ = try await node.get(key) } catch is DHTError {}
                    }
                    _ = try await node.get(key)
                }
            }
            try await Task.sleep(for: .milliseconds(20))
            for task in asking { task.cancel() }
            for task in asking { await #expect(throws: CancellationError.self) { try await task.value } }
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await node.get(key)
            }
            await #expect(throws: CancellationError.self) { try await late.value }
        }
    }

    @Test func `what is written later stands, whatever becomes of what was begun before`() async throws {
        try await Team.running(4) { team in
            let (node, key) = (team.nodes[0], Array("doc".utf8))
            let value = [UInt8](repeating: 7, count: 4 << 20)
            let long = Task { try await node.put(value, for: key) }
            // It has its turn before its value is looked at.
            while await node.openWrites == 0 { try await Task.sleep(for: .milliseconds(1)) }
            try await node.put("correction", for: "doc")
            long.cancel()
            _ = await long.result
            for reader in team.nodes { #expect(try await reader.get("doc")?.text == "correction") }
            // A value that has still to come has its turn as well.
            let turn = await node.takeTurn(of: key)
            try await node.put("newest", for: "doc")
            var options = PutOptions()
            options.turn = turn
            let refusal = await #expect(throws: DHTError.self) {
                try await node.put([1], for: key, options: options)
            }
            #expect(refusal?.code == .conflict)
            for reader in team.nodes { #expect(try await reader.get("doc")?.text == "newest") }
            let vain = await node.takeTurn(of: key)
            #expect(await node.openWrites == 1)
            node.giveUp(vain)
            while await node.openWrites > 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test func `what is deleted is gone everywhere, and deleting it again finds nothing`() async throws {
        try await Team.running(3) { team in
            try await team.nodes[0].put("world", for: "hello")
            #expect(try await team.nodes[0].delete("hello") != nil)
            for node in team.nodes { #expect(try await node.get("hello") == nil) }
            #expect(try await team.nodes[0].delete("hello") == nil)
        }
    }

    @Test func `members write side by side under one key`() async throws {
        try await Team.running(3) { team in
            try await team.nodes[0].put("first", for: "shared")
            try await team.nodes[1].put("second", for: "shared")
            let all = try await team.nodes[2].getAll("shared").values
            #expect(all.map(\.text) == ["second", "first"])
            var options = GetOptions()
            options.author = team.nodes[0].identity
            #expect(try await team.nodes[2].get("shared", options: options)?.text == "first")
        }
    }

    @Test func `a condition that does not hold is a conflict`() async throws {
        try await Team.running(3) { team in
            var absent = PutOptions()
            absent.condition = .absent
            let receipt = try await team.nodes[0].put("mine", for: "lock", options: absent)
            await #expect(throws: DHTError.self) {
                try await team.nodes[1].put("mine too", for: "lock", options: absent)
            }
            var revised = PutOptions()
            revised.condition = .revision(receipt.revision)
            try await team.nodes[0].put("still mine", for: "lock", options: revised)
            #expect(try await team.nodes[2].get("lock")?.text == "still mine")
        }
    }

    @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (8, 6)])
    func `a write wants as many copies as every read of three needs to meet one`(nodes: Int, copies: Int) {
        var options = PutOptions()
        #expect(options.copies(of: nodes) == copies)
        #expect(min(GetOptions.standardReplicas, nodes) + copies > nodes)
        options.minimumCopies = 7
        #expect(options.copies(of: nodes) == 7)
    }

    @Test func `more copies than there are nodes is a partial write`() async throws {
        try await Team.running(2) { team in
            var options = PutOptions()
            options.minimumCopies = 3
            do {
                try await team.nodes[0].put("world", for: "hello", options: options)
                Issue.record("two nodes cannot hold three copies")
            } catch let error as DHTError { #expect(error.code == .partial) }
        }
    }

    @Test(arguments: [(0, 1), (129, 1), (1, 16 << 20 | 1)])
    func `keys and values outside the limits are refused by name`(lengths: (key: Int, value: Int))
        async throws
    {
        try await Team.running(1) { team in
            let key = [UInt8](repeating: 65, count: lengths.key)
            let value = [UInt8](repeating: 66, count: lengths.value)
            do {
                try await team.nodes[0].put(value, for: key)
                Issue.record("it was taken")
            } catch let error as DHTError {
                #expect(error.code == .invalidArgument)
                #expect(error.reason.contains(lengths.value > 1 ? "the limit is 16777216" : "key"))
            }
        }
    }

    @Test func `status and peers tell what is there`() async throws {
        try await Team.running(3) { team in
            try await team.nodes[0].put("world", for: "hello")
            let status = await team.nodes[1].status()
            #expect(status.nodeID.description.count == 40)
            #expect(status.members == 2)
            #expect(status.peersKnown == 2)
            #expect(status.records == 1)
            #expect(status.store.live == status.recordBytes && status.store.live > 0)
            #expect(status.store.limit == 512 << 20)
            #expect(status.store.onDisk == nil && status.store.free == nil, "it is in memory")
            #expect(status.buckets.map(\.count).reduce(0, +) == 2)
            let peers = await team.nodes[1].peers()
            #expect(peers.map(\.name) == ["member-0", "member-2"])
            #expect(peers.allSatisfy { $0.state == .good })
            #expect(try await team.nodes[0].ping(team.nodes[2].identity) != nil)
            let asked = await team.nodes[0].peers().first { $0.identity == team.nodes[2].identity }
            #expect(asked?.roundTrip != nil)
        }
    }

    @Test func `a stopped node refuses what it is asked, and stopping twice is fine`() async throws {
        try await Team.running(2) { team in
            await team.nodes[1].stop()
            await team.nodes[1].stop()
            await #expect(throws: DHTError.self) { try await team.nodes[1].put("world", for: "hello") }
        }
    }

    @Test func `a node that leaves hands its records over`() async throws {
        var team = try Team(2)
        let first = try await team.start(0, team.configuration(of: 0))
        var alone = PutOptions()
        alone.minimumCopies = 1
        try await first.put("world", for: "hello", options: alone)
        let second = try await team.start(1, team.configuration(of: 1))
        try await eventually("the first knows the second") { await first.status().peersUp == 1 }
        await first.stop()
        #expect(try await second.get("hello")?.text == "world")
        #expect(await second.status().peersKnown == 0)
        await team.stop()
    }
}
