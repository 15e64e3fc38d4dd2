import DHTCore
import DHTCrypto
import Foundation
import Testing

@testable import DHTEnvelope

struct AllowlistTests {
    /// Six public identities; the first two are those of `docs/cli.md`.
    static let texts =
        [
            "dht1vf0439rmn7u3vtqfq7s8gflwyc0deex55kcv9jt49pl593ssgxusrl7kxn",
            "dht1a466m7f8vgcpy3mst0a4zaslfendwaru22wv8guvl5xaevzkljwqm8z2ee",
        ] + TestIdentities.all.prefix(4).map(\.text)

    static let identities = texts.compactMap { try? Identity(text: $0) }

    private let a = texts[0]
    private let b = texts[1]
    private let c = texts[2]

    private func list(_ text: String, file: String = "peers.allow") throws(AllowlistError) -> Allowlist {
        try Allowlist(parsing: text, file: file)
    }

    /// The error that reading the text ends in, as people see it.
    private func error(_ text: String) -> String? {
        do {
            _ = try list(text)
            return nil
        } catch {
            return "\(error)"
        }
    }

    // MARK: What is good

    @Test(arguments: ["", "\n", "# nobody\n", "  \t \r\n#\r\n", "\u{FEFF}# with a mark\n"])
    func `an empty list admits nobody`(text: String) throws {
        let list = try list(text)
        #expect(list == Allowlist())
        #expect(list.members.isEmpty)
        for identity in Self.identities { #expect(list.member(identity) == nil) }
    }

    @Test func `a line names a member, with its addresses and what it may`() throws {
        let list = try list(
            """
            # IDENTITY  NAME  [option=value …]
            \(a)  beta  addr=10.0.0.2:4100
            \(b)\tgamma\twrite=no addr=[2001:db8::1]:4100 addr=gamma.example.net:1  # a comment
            \(c)#no blank before this comment
            """
        )
        #expect(list.members.map(\.identity) == Array(Self.identities.prefix(3)))
        #expect(list.members.map(\.name) == ["beta", "gamma", String(c.prefix(12))])
        #expect(list.members.map(\.mayWrite) == [true, false, true])
        #expect(list.members[0].addresses == ["10.0.0.2:4100"])
        #expect(list.members[1].addresses == ["[2001:db8::1]:4100", "gamma.example.net:1"])
        #expect(list.members[2].addresses.isEmpty)
        #expect(list.revoked.isEmpty)
    }

    @Test func `members are found by identity and know their place`() throws {
        let list = try list("\(a) beta\n\(b) gamma\n")
        for member in list.members {
            #expect(list.member(member.identity) == member)
            #expect(member.nodeID == member.identity.nodeID)
        }
        #expect(list.member(Self.identities[2]) == nil)
    }

    @Test func `a member without a name may have options`() throws {
        let list = try list("\(a) write=no")
        #expect(list.members.map(\.name) == [String(a.prefix(12))])
        #expect(list.members[0].mayWrite == false)
    }

    @Test func `carriage returns, a missing last newline and upper case do no harm`() throws {
        let list = try list("\(a) beta\r\n\r\n\(b.uppercased()) gamma")
        #expect(list.members.map(\.identity) == Array(Self.identities.prefix(2)))
    }

    @Test func `write=yes is what goes without saying`() throws {
        #expect(try list("\(a) beta write=yes") == list("\(a) beta"))
        #expect(try list("\(a) beta write=no") != list("\(a) beta"))
    }

    @Test func `the order is that of the file`() throws {
        let forward = try list("\(a) beta\n\(b) gamma")
        let backward = try list("\(b) gamma\n\(a) beta")
        #expect(forward != backward)
        #expect(backward.members.map(\.name) == ["gamma", "beta"])
    }

    @Test func `the example in Keys reads as it says`() throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let text = try String(contentsOfFile: root + "/Keys/example.allow", encoding: .utf8)
        let list = try list(text)
        #expect(list.members.map(\.name) == ["alpha", "beta", "gamma", "reader"])
        #expect(list.members.map(\.addresses.count) == [1, 2, 1, 0])
        #expect(list.members.map(\.mayWrite) == [true, true, true, false])
        #expect(list.revoked.map(\.name) == ["old-laptop"])
        let everybody = list.members.map(\.identity) + list.revoked.map(\.identity)
        #expect(everybody.allSatisfy(TestIdentities.isTestIdentity))
    }

    // MARK: Revocation

    @Test(arguments: [true, false])
    func `a revocation wins over every other line, before or after it`(isFirst: Bool) throws {
        let lines = ["@revoked \(a) old-laptop   # lost 2026-10-02", "\(a) beta addr=10.0.0.2:4100"]
        let list = try list((isFirst ? lines : lines.reversed()).joined(separator: "\n") + "\n\(b) gamma")
        #expect(list.member(Self.identities[0]) == nil)
        #expect(list.members.map(\.name) == ["gamma"])
        #expect(list.revoked.map(\.identity) == [Self.identities[0]])
        #expect(list.revoked.map(\.name) == ["old-laptop"])
        #expect(list.member(Self.identities[1])?.name == "gamma")
    }

    @Test func `revoking twice is revoking, and a name is optional`() throws {
        let list = try list("@revoked \(a)\n@revoked \(a) laptop\n")
        #expect(list.revoked.map(\.name) == [String(a.prefix(12))])
    }

    @Test func `the name of one revoked is free for another`() throws {
        let list = try list("\(a) laptop\n@revoked \(a) laptop\n\(b) laptop\n")
        #expect(list.members.map(\.identity) == [Self.identities[1]])
    }

    // MARK: Errors

    @Test func `a wrong character in an identity is told with its place`() {
        let wrong = String(a.dropLast()) + "m"
        #expect(
            error("# list\n\n\(wrong) beta\n")
                == "peers.allow:3:1: identity has a bad checksum: dht1vf04…7kxm. One character is "
                + "wrong; ask the peer for `dht id`"
        )
    }

    @Test func `an unknown option is told with its place and what may have been meant`() {
        #expect(
            error("\n\n\n\n\(a) gamma wirte=no")
                == "peers.allow:5:70: unknown option \"wirte\" (did you mean \"write\"?); nothing was changed"
        )
        #expect(
            error("\(a) gamma adress=10.0.0.1:1")
                == "peers.allow:1:70: unknown option \"adress\" (did you mean \"addr\"?); nothing was changed"
        )
        #expect(
            error("\(a) gamma role=admin")
                == "peers.allow:1:70: unknown option \"role\" (there are addr and write); nothing was changed"
        )
        #expect(
            error("\(a) gamma é=x")
                == "peers.allow:1:70: unknown option (there are addr and write); nothing was changed"
        )
    }

    @Test func `a secret in the list is told as one, and not shown`() {
        let key = SigningKey()
        let secret = String(decoding: key.secretText(), as: UTF8.self)
        let network = String(decoding: NetworkKey().secretText(), as: UTF8.self)
        let told =
            "that is a DHT-SECRET-KEY, not an identity. It was not printed or stored. Derive the identity: "
            + "dht id FILE"
        #expect(error("# dht node key\n\(secret)\n") == "peers.allow:2:1: \(told)")
        #expect(error("\(secret.lowercased()) beta") == "peers.allow:1:1: \(told)")
        #expect(error("\(a) \(secret)") == "peers.allow:1:64: \(told)")
        #expect(error("\(a) beta \(secret)=1") == "peers.allow:1:69: \(told)")
        #expect(error("@\(secret)") == "peers.allow:1:1: \(told)")
        #expect(error("@revoked x=\(secret.dropLast())") == "peers.allow:1:10: \(told)")
        #expect(
            error("\(a) \(network)")?.hasPrefix(
                "peers.allow:1:64: that is a DHT-NETWORK key, not an identity"
            ) == true
        )
        #expect(error("\(a) dht-network-1") == nil)
    }

    @Test func `the same identity twice is an error that tells where the first is`() {
        #expect(
            error("\n\(a) beta\n\(b) x\n  \(a) gamma")
                == "peers.allow:4:3: this identity is listed already, in line 2"
        )
        #expect(error("\(a) beta\n\(a) beta\n@revoked \(a)") != nil)
    }

    @Test func `the same name twice is an error that tells where the first is`() {
        #expect(error("\(a) beta\n# \n\(b)  beta") == "peers.allow:3:65: the name beta is taken in line 1")
    }

    @Test(arguments: ["b/c", "ä", "a:b", String(repeating: "x", count: 33), "<b>"])
    func `a name has 1 to 32 plain characters`(name: String) {
        #expect(
            error("\(a) \(name)") == "peers.allow:1:64: a name has 1 to 32 characters, of A-Z a-z 0-9 . _ -"
        )
        #expect(
            error("@revoked \(a) \(name)")
                == "peers.allow:1:73: a name has 1 to 32 characters, of A-Z a-z 0-9 . _ -"
        )
    }

    @Test func `longest, shortest and odd names are fine`() {
        for name in ["x", String(repeating: "x", count: 32), "A.b_c-9", "-", "127.0.0.1"] {
            #expect(error("\(a) \(name)") == nil)
        }
    }

    @Test(arguments: [
        "10.0.0.2", "10.0.0.2:", "10.0.0.2:0", "10.0.0.2:65536", "10.0.0.2:+80", "10.0.0.2:8O", ":4100", "",
        "10.0.0:1",
        "256.0.0.1:1", "2001:db8::1:4100", "[2001:db8::1]", "[2001:db8::1]4100", "[::1:4100", "[]:1",
        "[1.2.3.4]:1",
        "[:::]:1", "[1::2::3]:1", "[1:2:3:4:5:6:7]:1", "[1:2:3:4:5:6:7:8:9]:1", "[12345::]:1", "[::g]:1",
        "[::+1.2.3.4]:1",
        "a b:1", "höst:1", "host/x:1", "user@host:1", "[fd80::1%eth0]:1", "host:1:2",
    ])
    func `what is no address is refused`(address: String) throws {
        let shown = try #require(error("\(a) beta addr=\(address)"))
        #expect(
            shown.hasPrefix(
                "peers.allow:1:69: addr= takes HOST:PORT, an IPv6 address in brackets, a port of 1 to 65535"
            )
                || shown.hasPrefix("peers.allow:1:76: after the name come only options")
        )
    }

    @Test(arguments: [
        "10.0.0.2:1", "0.0.0.0:65535", "localhost:4100", "node-1.example.net:4100", "a_b:1", "[::]:1",
        "[::1]:4100",
        "[2001:db8::1]:1", "[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7::]:1", "[::ffff:10.0.0.1]:1", "[FD80::A]:1",
    ])
    func `what is an address is kept as it is written`(address: String) throws {
        #expect(try list("\(a) beta addr=\(address)").members[0].addresses == [address])
    }

    @Test(arguments: ["[fe80::1]:4100", "[fe80::1%eth0]:4100", "[FEBF::1]:1", "[fe9a::%3]:1"])
    func `an address that works on one link only is refused with the reason`(address: String) throws {
        let shown = try #require(error("\(a) beta addr=\(address)"))
        #expect(shown.hasPrefix("peers.allow:1:69: addr=: a link-local address works on one link"))
    }

    @Test func `options are said once, with a value they have`() {
        #expect(error("\(a) beta write=maybe") == "peers.allow:1:69: write= takes yes or no")
        #expect(error("\(a) beta write=") == "peers.allow:1:69: write= takes yes or no")
        #expect(error("\(a) beta write=no write=yes") == "peers.allow:1:78: write is given twice")
        #expect(
            error("\(a) beta gamma")
                == "peers.allow:1:69: after the name come only options: addr=HOST:PORT, write=no"
        )
    }

    @Test func `other marks than @revoked, and a bad one, are errors`() {
        #expect(
            error("@revoke \(a)")
                == "peers.allow:1:1: a line begins with an identity, with @revoked or with @admin"
        )
        #expect(error("@revoked") == "peers.allow:1:1: @revoked is followed by an identity")
        #expect(
            error("@revoked \(a) x write=no") == "peers.allow:1:75: nothing follows the name of one revoked"
        )
        #expect(
            error("@revoked alice")
                == "peers.allow:1:10: that is not an identity: it does not begin with dht1"
        )
        #expect(
            error("alice \(a)") == "peers.allow:1:1: that is not an identity: it does not begin with dht1"
        )
    }

    @Test func `a line that is not UTF-8 is told`() throws {
        let text = Array("\(a) beta\n\(b) gamma # ".utf8) + [0xFF, 0x0A]
        #expect(throws: AllowlistError(.init(file: "f", line: 2, column: 1), "the line is not UTF-8")) {
            try Allowlist(parsing: text, file: "f")
        }
        #expect(error("\(a) beta # 日本語 ✓") == nil)
    }

    @Test func `an identity of small order is refused`() throws {
        let weak = try #require(Identity([UInt8](repeating: 0, count: 32))).text
        #expect(error(weak)?.hasPrefix("peers.allow:1:1: identity is not the public key of anybody") == true)
    }

    @Test func `a file has at most 65,536 lines and 8 MiB`() {
        let newlines = [UInt8](repeating: 0x0A, count: 65_536)
        #expect(throws: Never.self) { try Allowlist(parsing: newlines, file: "f") }
        #expect(
            throws: AllowlistError(
                .init(file: "f", line: 65_537, column: 1),
                "the file has more than 65536 lines"
            )
        ) {
            try Allowlist(parsing: newlines + [0x0A], file: "f")
        }
        #expect(throws: AllowlistError.self) {
            try Allowlist(parsing: [UInt8](repeating: 0x23, count: (8 << 20) + 1), file: "f")
        }
    }

    // MARK: Several files

    @Test func `lists are merged in the order of the files`() throws {
        var merged = try list("\(b) gamma\n", file: "one")
        try merged.merge(list("\(a) beta write=no\n\(b) gamma\n", file: "two"))
        #expect(merged.members.map(\.name) == ["gamma", "beta"])
        #expect(merged.member(Self.identities[0])?.mayWrite == false)
    }

    @Test func `what two files say otherwise of one member is an error, and nothing is merged`() throws {
        let first = try list("\n\(a) beta\n", file: "one")
        for line in ["\(a) betta", "\(a) beta write=no", "\(a) beta addr=h:1"] {
            var merged = first
            #expect(
                throws: AllowlistError(
                    .init(file: "two", line: 2, column: 1),
                    "\(line.split(separator: " ")[1]) is listed otherwise in one:2; make both alike"
                )
            ) { try merged.merge(list("\(b) gamma\n\(line)\n", file: "two")) }
            #expect(merged == first)
        }
    }

    @Test func `two files do not give two members one name`() throws {
        var merged = try list("\(a) beta\n", file: "one")
        #expect(
            throws: AllowlistError(.init(file: "two", line: 1, column: 64), "the name beta is taken in one:1")
        ) {
            try merged.merge(list("\(b) beta\n", file: "two"))
        }
    }

    @Test func `a revocation in any file wins`() throws {
        var merged = try list("\(a) beta\n\(b) gamma\n", file: "one")
        try merged.merge(list("@revoked \(a) lost\n", file: "two"))
        try merged.merge(list("@revoked \(a)\n\(a) beta\n", file: "three"))
        #expect(merged.members.map(\.name) == ["gamma"])
        #expect(merged.revoked.map(\.name) == ["lost"])
        #expect(merged.member(Self.identities[0]) == nil)
    }
}
