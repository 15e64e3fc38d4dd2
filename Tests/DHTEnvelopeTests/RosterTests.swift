import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

struct RosterTests {
    private let network = networkKey("home").id

    private func text(_ lines: String...) -> [UInt8] {
        Array((["@admin \(Identity.named("root").text) root"] + lines).map { "\($0)\n" }.joined().utf8)
    }

    private func line(_ name: String) -> String { "\(Identity.named(name).text)  \(name)" }

    private func sign(
        _ text: [UInt8],
        serial: UInt64 = 1,
        by name: String = "root",
        network: String = "home"
    ) throws(AllowlistError) -> Roster {
        try Roster.sign(
            text,
            serial: serial,
            time: 1_790_942_400,
            with: signingKey(name),
            network: networkKey(network).id,
            file: "roster"
        )
    }

    private func error(_ body: () throws(AllowlistError) -> Roster) -> String? {
        do {
            _ = try body()
            return nil
        } catch { return error.description }
    }

    private func reading(_ bytes: [UInt8]) -> String? {
        error { () throws(AllowlistError) in try Roster(parsing: bytes, of: network, file: "roster") }
    }

    @Test func `a roster is read as it was signed`() throws {
        let roster = try sign(text(line("beta"), "@revoked \(Identity.named("old").text) old"), serial: 7)
        let read = try Roster(parsing: roster.file(of: network), of: network, file: "roster")
        #expect(read.head == roster.head)
        #expect(read.text == roster.text)
        #expect(read.serial == 7)
        #expect(read.signedAt == 1_790_942_400)
        #expect(read.administrator == .named("root"))
        #expect(read.list.members.map(\.name) == ["beta"])
        #expect(read.list.revoked.map(\.name) == ["old"])
        #expect(read.list.administrators.map(\.name) == ["root"])
    }

    @Test func `no byte of a roster's file can be another`() throws {
        let file = try sign(text(line("beta"))).file(of: network)
        for index in file.indices {
            #expect(reading(file.flipping(1, at: index)) != nil, "byte \(index)")
        }
        for end in stride(from: 0, to: file.count, by: 7) {
            #expect(reading(Array(file[..<end])) != nil, "\(end) bytes")
        }
    }

    @Test func `what is wrong with a roster's file is told with its place`() throws {
        let good = try sign(text(line("beta")))
        #expect(
            reading(text(line("beta")))
                == "roster:1:1: this is no signed roster: its first line begins with @roster. "
                + "Sign a list: dht roster sign FILE"
        )
        let elsewhere = reading(good.file(of: networkKey("abroad").id))
        #expect(elsewhere?.contains("the roster is of another network") == true)
        let abroad = try sign(text(line("beta")), network: "abroad")
        #expect(
            reading(Array(abroad.head.line(in: network).utf8) + abroad.text)?
                .contains("the signature is not good") == true
        )
        var changed = good.file(of: network)
        changed += Array("\(line("gamma"))\n".utf8)
        #expect(reading(changed)?.contains("the signature is not good: the roster was changed since") == true)
    }

    @Test func `a list that is none is not signed`() throws {
        #expect(
            error { () throws(AllowlistError) in try sign(Array("\(line("beta"))\n".utf8)) }
                == "roster:1:1: a roster names who may sign the next one, and this names nobody: "
                + "@admin IDENTITY NAME"
        )
        #expect(error { () throws(AllowlistError) in try sign([]) } == "roster:1:1: the list is empty")
        let large = text() + [UInt8](repeating: UInt8(ascii: "#"), count: 9 << 20)
        #expect(
            error { () throws(AllowlistError) in try sign(large) }
                == "roster:1:1: the list is larger than 8 MiB"
        )
        let long = text() + Array(String(repeating: "# a comment\n", count: 3998).utf8)
        #expect(
            error { () throws(AllowlistError) in try sign(long + Array("nobody\n".utf8)) }?
                .hasPrefix("roster:4001:1: that is not an identity") == true
        )
        #expect(
            error { () throws(AllowlistError) in
                try sign(text("@revoked \(Identity.named("root").text) root"))
            } == "roster:1:1: root is an administrator, and revoked: take out one of the lines"
        )
        #expect(
            error { () throws(AllowlistError) in try sign(text("@roster serial=1")) }
                == "roster:3:1: @roster begins a signed roster, in its first line only"
        )
    }

    @Test func `serials begin with 1 and end with the highest`() throws {
        #expect(
            error { () throws(AllowlistError) in try sign(text(line("beta")), serial: 0) }
                == "roster:1:1: serials begin with 1"
        )
        #expect(Roster.serial(after: 0) == 1)
        #expect(Roster.serial(after: .max) == nil)
        let last = try sign(text(line("beta")), serial: .max)
        #expect(try Roster(parsing: last.file(of: network), of: network, file: "roster").serial == .max)
        #expect(keeper(last).judge(try sign(text(line("gamma")), serial: 5).head) == .older)
    }

    @Test func `a text of several pieces is what its digest says`() throws {
        let comment = Array("#\(String(repeating: "x", count: 999))\n".utf8)
        let long = text(line("beta")) + [[UInt8]](repeating: comment, count: 150).joined()
        let roster = try sign(long)
        #expect(roster.head.text.pieceCount == 3)
        let digests = try #require(roster.head.text.digests(in: certain(roster.part(.outline))))
        for (index, digest) in digests.enumerated() {
            #expect(digest.isDigest(of: certain(roster.part(.piece(index)))))
        }
        #expect(roster.part(.piece(3)) == nil)
    }

    // MARK: The keeper

    private func keeper(_ held: Roster? = nil, pins: String...) -> RosterKeeper {
        RosterKeeper(network: network, pinned: pins.map { .named($0) }, held: held)
    }

    @Test func `a newer roster counts if an administrator signed it`() throws {
        let first = try sign(text(line("beta")))
        #expect(keeper(pins: "root").judge(first.head) == .newer)
        #expect(keeper(pins: "other").judge(first.head) == .stranger)
        #expect(keeper().judge(first.head) == .stranger)
        let forged = RosterHead(
            serial: 2,
            time: first.head.time,
            administrator: .named("root"),
            text: first.head.text,
            signature: first.head.signature
        )
        #expect(keeper(first).judge(forged) == .forged)
        #expect(keeper(first).judge(try sign(text(line("gamma")), serial: 2).head) == .newer)
        let stranger = try sign(text(line("gamma")), serial: 9, by: "mallory")
        #expect(keeper(first).judge(stranger.head) == .stranger)
    }

    @Test func `an equal or lower serial is no roster, and an equal one of other text is evidence`() throws {
        let held = try sign(text(line("beta")), serial: 4)
        var keeper = keeper(held, pins: "root")
        #expect(keeper.judge(held.head) == .held)
        #expect(keeper.judge(try sign(text(line("gamma")), serial: 3).head) == .older)
        let twin = try sign(text(line("gamma")), serial: 4)
        #expect(keeper.judge(twin.head) == .conflict)
        let isNews = [keeper.record(conflicting: twin.head), keeper.record(conflicting: twin.head)]
        #expect(isNews == [true, false])
        #expect(keeper.conflict?.held == held.head)
        #expect(keeper.conflict?.other == twin.head)
        keeper.adopt(try sign(text(line("gamma")), serial: 5))
        #expect(keeper.conflict == nil)
    }

    @Test func `a roster replaces its administrators, whoever was pinned`() throws {
        let heir = "@admin \(Identity.named("heir").text) heir"
        let first = try sign(text(heir))
        var keeper = keeper(first, pins: "root")
        let next = try sign(Array("\(heir)\n".utf8), serial: 2)
        #expect(keeper.judge(next.head) == .newer)
        keeper.adopt(next)
        #expect(keeper.administrators == [.named("heir")])
        #expect(keeper.judge(try sign(text(line("beta")), serial: 3).head) == .stranger)
        #expect(keeper.judge(try sign(Array("\(heir)\n".utf8), serial: 3, by: "heir").head) == .newer)
    }

    @Test func `whom the operator revokes signs nothing`() throws {
        let held = try sign(text(line("beta")))
        let next = try sign(text(line("gamma")), serial: 2)
        var keeper = keeper(held)
        #expect(keeper.judge(next.head) == .newer)
        keeper.revoked = [.named("root")]
        #expect(keeper.judge(next.head) == .stranger)
        #expect(keeper.administrators.isEmpty && !keeper.isFollowing)
    }

    @Test func `members of files and roster are admitted, and whoever either revokes is not`() throws {
        let local = try Allowlist(
            parsing: "\(line("beta"))\n\(line("gamma")) write=no\n@revoked \(line("delta"))\n",
            file: "peers.allow"
        )
        let roster = try sign(
            text(
                line("delta"),
                line("epsilon"),
                "\(Identity.named("gamma").text)  third",
                "\(Identity.named("zeta").text)  beta",
                "@revoked \(Identity.named("beta").text)  beta"
            )
        )
        guard case .members(let list) = keeper(roster).policy(.members(local)) else {
            Issue.record("the policy is open")
            return
        }
        #expect(list.members.map(\.identity) == [.named("gamma"), .named("epsilon"), .named("zeta")])
        #expect(list.members.map(\.name) == ["gamma", "epsilon", "beta"])
        #expect(list.member(.named("gamma"))?.mayWrite == false)
        #expect(Set(list.revoked.map(\.identity)) == [.named("beta"), .named("delta")])
        #expect(list.administrators.map(\.identity) == [.named("root")])
    }

    // MARK: Texts

    @Test func `lines are added and struck out, and others stay as they were`() throws {
        var text = RosterText(text("# ours", "\(line("beta"))  # since spring", "", line("gamma")))
        text.revoke(.named("beta"), name: "beta")
        text.admit(.init(identity: .named("delta"), name: "delta", addresses: ["10.0.0.4:4100"]))
        let lines = String(decoding: text.bytes, as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        #expect(
            lines == [
                "@admin \(Identity.named("root").text) root", "# ours", "", "\(line("gamma"))",
                "@revoked \(line("beta"))", "\(line("delta"))  addr=10.0.0.4:4100", "",
            ]
        )
        #expect(try sign(text.bytes).list.members.map(\.name) == ["gamma", "delta"])
    }
}
