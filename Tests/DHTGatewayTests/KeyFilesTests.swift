import Foundation
import SecureDHT
import Testing

/// Key files and allowlists as users of the library read and write them.
struct KeyFilesTests {
    private let folder: Folder
    private let created = Date(timeIntervalSince1970: 1_795_539_960)

    init() throws { folder = try Folder() }

    @Test func `a key comes back from its file, which only its owner may read`() throws {
        let key = NodeKey()
        try key.write(to: folder.file("a.key"), name: "alpha", created: created)
        #expect(folder.mode("a.key") == 0o600)
        #expect(try NodeKey(file: folder.file("a.key")).identity == key.identity)
        let text = folder.text("a.key")
        #expect(text.hasPrefix("# dht node key, created 2026-11-24T17:06:00Z, name: alpha\n"))
        #expect(try Array(text.utf8) == key.fileText(name: "alpha", created: created))
    }

    @Test func `nothing is overwritten, unless asked, and then it is kept`() throws {
        let (first, second) = (NodeKey(), NodeKey())
        try first.write(to: folder.file("a.key"), created: created)
        let failure = #expect(throws: DHTError.self) {
            try second.write(to: folder.file("a.key"), created: created)
        }
        #expect(failure?.code == .conflict)
        #expect(try NodeKey(file: folder.file("a.key")).identity == first.identity)
        #expect(
            try second.write(to: folder.file("a.key"), created: created, replacing: true)
                == folder.file("a.key.bak")
        )
        #expect(try NodeKey(file: folder.file("a.key")).identity == second.identity)
        #expect(try NodeKey(file: folder.file("a.key.bak")).identity == first.identity)
    }

    @Test func `what keeps a key from being read has its code`() throws {
        func code(_ name: String) -> DHTError.Code? {
            #expect(throws: DHTError.self) { try NodeKey(file: folder.file(name)) }?.code
        }
        #expect(code("missing") == .configuration)
        try NodeKey().write(to: folder.file("a.key"), created: created)
        chmod(folder.file("a.key"), 0o640)
        #expect(code("a.key") == .denied)
        let other = try folder.write("nonsense", to: "b.key")
        chmod(other, 0o600)
        #expect(code("b.key") == .configuration)
        try NetworkSecret().write(to: folder.file("net.key"), created: created)
        #expect(code("net.key") == .configuration)
    }

    @Test func `a network key comes back, and is no node's key`() throws {
        let secret = NetworkSecret()
        try secret.write(to: folder.file("net.key"), created: created)
        let read = try NetworkSecret(file: folder.file("net.key"))
        #expect(read.fileText(created: created) == secret.fileText(created: created))
        #expect(!read.isWellKnown)
        try NodeKey().write(to: folder.file("a.key"), created: created)
        #expect(throws: DHTError.self) { try NetworkSecret(file: folder.file("a.key")) }
    }

    @Test func `a folder that is missing is told how to be made`() {
        let failure = #expect(throws: DHTError.self) {
            try NodeKey().write(to: folder.file("no/such/a.key"), created: created)
        }
        #expect(failure?.code == .invalidArgument)
        #expect(failure?.reason.contains("mkdir -p \(folder.file("no/such"))") == true)
    }

    @Test func `several allowlists are one list`() throws {
        let (a, b) = (NodeKey().identity.text, NodeKey().identity.text)
        let first = try folder.write("\(a) alpha\n", to: "1.allow")
        let second = try folder.write("\(b) beta\n\(a) alpha\n", to: "2.allow")
        let third = try folder.write("@revoked \(a) alpha\n", to: "3.allow")
        #expect(try Allowlist(files: [first, second]).members.map(\.name) == ["alpha", "beta"])
        #expect(try Allowlist(files: [first, second, third]).members.map(\.name) == ["beta"])
        #expect(try Allowlist(files: []).members.isEmpty)
    }

    @Test func `what is wrong with a list is told with its place`() throws {
        let file = try folder.write("\n  dht1nonsense alpha\n", to: "bad.allow")
        let failure = #expect(throws: DHTError.self) { try Allowlist(file: file) }
        #expect(failure?.code == .configuration)
        #expect(failure?.reason.hasPrefix("\(file):2:3: ") == true)
        #expect(throws: DHTError.self) { try Allowlist(file: folder.file("missing")) }
        #expect(throws: DHTError.self) { try Allowlist(file: folder.path) }
    }
}
