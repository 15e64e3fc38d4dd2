import DHTCore
import Foundation
import Testing

@testable import DHTCrypto

struct KeyFileTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    var key: SigningKey { signingKey(7) }
    let created = "2026-11-24T17:06:00Z"

    private func write(_ name: String, replacing: Bool = false) throws(KeyFileError) -> String? {
        try KeyFile.write(
            key,
            to: folder.file(name),
            name: "alpha",
            created: created,
            replacing: replacing
        )
    }

    private func read(_ path: String, credentials: String? = nil) throws(KeyFileError) -> Identity? {
        try KeyFile(reading: path, credentialsDirectory: credentials).identity
    }

    private func failure(_ body: () throws -> Void) -> KeyFileError? {
        do {
            try body()
            return nil
        } catch {
            return error as? KeyFileError
        }
    }

    // MARK: Text

    @Test func `the text of a key file is the one documented`() {
        let lines = text(KeyFile.text(of: key, name: "alpha", created: created)).split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0] == "# dht node key, created 2026-11-24T17:06:00Z, name: alpha")
        #expect(lines[1] == "# identity: \(key.identity.text)")
        #expect(lines[2] == text(key.secretText()))
        #expect(text(KeyFile.text(of: key, name: "alpha", created: created)).hasSuffix("\n"))
    }

    @Test func `a key without a name has none in its file`() {
        for name in [nil, "", "\n"] {
            let lines = text(KeyFile.text(of: key, name: name, created: created)).split(separator: "\n")
            #expect(lines[0] == "# dht node key, created 2026-11-24T17:06:00Z")
        }
    }

    @Test func `a name cannot end its line, drive a terminal or go on for ever`() throws {
        let hostile = "a\r\nDHT-SECRET-KEY-1\u{2028}b\u{1B}[31m\u{202E}c" + String(repeating: "x", count: 100)
        try KeyFile.write(key, to: folder.file("a.key"), name: hostile, created: created)
        let file = try KeyFile(reading: folder.file("a.key"))
        #expect(file.identity == key.identity)
        #expect(file.name == "aDHT-SECRET-KEY-1b[31mc" + String(repeating: "x", count: 41))
    }

    @Test func `a byte order mark before a key is skipped`() throws {
        for bytes in [KeyFile.text(of: key, name: nil, created: created), key.secretText()] {
            let path = try folder.write("\u{FEFF}" + text(bytes), to: "bom.key")
            #expect(try read(path) == key.identity)
        }
        let network = NetworkKey()
        let path = try folder.write("\u{FEFF}" + text(network.secretText()), to: "bom.net")
        let again = try NetworkKeyFile.read(path)
        let (id, original) = (again.id, network.id)
        #expect(id == original)
    }

    @Test func `who has no file is told how to make one of its kind`() {
        let missing = failure { _ = try read(folder.file("none")) }
        #expect(missing?.description.hasSuffix("Make one: dht keygen -o FILE") == true)
        let network = failure { _ = try NetworkKeyFile.read(folder.file("none")) }
        #expect(network?.description.hasSuffix("Make one: dht keygen --network -o FILE") == true)
    }

    // MARK: Writing

    @Test func `what is written is read back`() throws {
        #expect(try write("a.key") == nil)
        let file = try KeyFile(reading: folder.file("a.key"))
        #expect(file.identity == key.identity)
        #expect(file.name == "alpha")
        let isSealed = file.isSealed
        #expect(!isSealed)
        #expect(file.path == folder.file("a.key"))
        let again = try file.signingKey()
        #expect(again.identity == key.identity)
        #expect(try folder.names() == ["a.key"])
    }

    @Test func `a key file has mode 0600 whatever the umask`() async {
        // In a process of its own: the umask is everybody's.
        await #expect(processExitsWith: .success) {
            let folder = try Folder()
            for mask in [mode_t(0), 0o077, 0o277] {
                umask(mask)
                try KeyFile.write(signingKey(7), to: folder.file("\(mask).key"), name: nil, created: "now")
                let mode = folder.mode("\(mask).key") ?? 0
                precondition(mode == 0o600, "mode \(mode) under umask \(mask)")
            }
        }
    }

    @Test func `a file that is there is left alone`() throws {
        try folder.write("precious", to: "a.key")
        let error = failure { _ = try write("a.key") }
        #expect(error?.category == .exists)
        #expect(
            error?.description
                == "\(folder.file("a.key")) exists and was left alone. Choose another name, or --force"
        )
        #expect(folder.text("a.key") == "precious")
        #expect(try folder.names() == ["a.key"])
    }

    @Test func `a file replaced is kept, each time under another name`() throws {
        try folder.write("first", to: "a.key")
        #expect(try write("a.key", replacing: true) == folder.file("a.key.bak"))
        try folder.write("second", to: "a.key")
        #expect(try write("a.key", replacing: true) == folder.file("a.key.bak2"))
        #expect(try folder.names() == ["a.key", "a.key.bak", "a.key.bak2"])
        #expect(folder.text("a.key.bak") == "first")
        #expect(folder.text("a.key.bak2") == "second")
        #expect(folder.mode("a.key") == 0o600)
        #expect(try read(folder.file("a.key")) == key.identity)
    }

    @Test func `replacing where nothing is keeps nothing`() throws {
        #expect(try write("a.key", replacing: true) == nil)
        #expect(try folder.names() == ["a.key"])
    }

    @Test func `a missing folder is an error that says how to make it`() {
        let error = failure { _ = try write("none/a.key") }
        #expect(error?.category == .notFound)
        #expect(
            error?.description == "\(folder.file("none/a.key")) cannot be written: there is no folder "
                + "\(folder.file("none")). Make it: mkdir -p \(folder.file("none"))"
        )
    }

    @Test func `a key is not written over a folder, nor kept beside one`() throws {
        try FileManager.default.createDirectory(
            atPath: folder.file("a.key"),
            withIntermediateDirectories: false
        )
        for replacing in [false, true] {
            let error = failure { _ = try write("a.key", replacing: replacing) }
            #expect(error?.category == .exists)
        }
        #expect(try folder.names() == ["a.key"])
    }

    @Test func `a full disk leaves the file that was there and no piece of another`() async {
        await #expect(processExitsWith: .success) {
            let folder = try Folder()
            try folder.write("precious", to: "a.key")
            // No file may grow beyond 8 bytes: writing ends as on a full disk.
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 8, rlim_max: 8)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            for (name, replacing) in [("a.key", false), ("a.key", true), ("b.key", false)] {
                do throws(KeyFileError) {
                    try KeyFile.write(
                        signingKey(7),
                        to: folder.file(name),
                        name: nil,
                        created: "now",
                        replacing: replacing
                    )
                    preconditionFailure("\(name) was written")
                } catch {
                    precondition(error.category == .full, "\(error)")
                }
            }
            let (names, contents) = (try folder.names(), folder.text("a.key"))
            precondition(names == ["a.key"] && contents == "precious", "\(names)")
        }
    }

    // MARK: Reading

    @Test(arguments: [
        (0o640, "readable by group (0640)"), (0o604, "readable by others (0604)"),
        (0o644, "readable by group and others (0644)"), (0o620, "writable by group (0620)"),
        (0o601, "executable by others (0601)"),
    ])
    func `a file that others have access to is refused with the remedy`(mode: Int, words: String) throws {
        _ = try write("a.key")
        try folder.setMode(mode, of: "a.key")
        let path = folder.file("a.key")
        let error = failure { _ = try read(path) }
        #expect(error?.category == .permission)
        #expect(error?.description == "\(path) is \(words). Fix: chmod 600 \(path)")
    }

    @Test(arguments: [0o600, 0o400, 0o700])
    func `a file that only its owner has access to is read`(mode: Int) throws {
        _ = try write("a.key")
        try folder.setMode(mode, of: "a.key")
        #expect(try read(folder.file("a.key")) == key.identity)
    }

    @Test func `credentials of the service manager may have other modes, and only they`() throws {
        _ = try write("a.key")
        try folder.setMode(0o440, of: "a.key")
        #expect(try read(folder.file("a.key"), credentials: folder.path) == key.identity)
        #expect(try read(folder.file("a.key"), credentials: folder.path + "/") == key.identity)
        let inner = folder.file("inner")
        try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: false)
        for directory in [inner, "/", folder.file("none"), String(folder.path.dropLast()), ""] {
            #expect(
                failure { _ = try read(folder.file("a.key"), credentials: directory) }?.category
                    == .permission
            )
        }
        #expect(failure { _ = try read(inner + "/../a.key", credentials: inner) }?.category == .permission)
        try FileManager.default.createSymbolicLink(
            atPath: inner + "/a.key",
            withDestinationPath: folder.file("a.key")
        )
        #expect(failure { _ = try read(inner + "/a.key", credentials: inner) }?.category == .permission)
    }

    @Test func `a missing file, a folder, a pipe and a large file are told apart`() throws {
        #expect(failure { _ = try read(folder.file("none.key")) }?.category == .notFound)
        #expect(failure { _ = try read(folder.file("none/a.key")) }?.category == .notFound)
        #expect(
            failure { _ = try read(folder.path) }?.description
                == "\(folder.path) is a folder; name a file in it"
        )
        mkfifo(folder.file("pipe"), 0o600)
        #expect(failure { _ = try read(folder.file("pipe")) }?.category == .malformed)
        try folder.write(String(repeating: "#", count: 65_537), to: "large.key")
        #expect(failure { _ = try read(folder.file("large.key")) }?.category == .malformed)
        let padding = String(repeating: "#", count: 60_000) + "\n"
        try folder.write(padding + text(key.secretText()), to: "fits.key")
        #expect(try read(folder.file("fits.key")) == key.identity)
    }

    @Test func `blanks, carriage returns, comments and a missing last newline do no harm`() throws {
        let secret = text(key.secretText())
        for contents in [secret, "\n\n  \(secret)\t\n", "# a\r\n\(secret)\r\n# b\r\n", secret.lowercased()] {
            try folder.write(contents, to: "a.key")
            #expect(try read(folder.file("a.key")) == key.identity)
        }
    }

    @Test func `a file with no key, two keys or another text is refused, and no secret shows`() throws {
        let secret = text(key.secretText())
        let network = NetworkKey().secretText()
        var wrong = Array(secret)
        wrong[30] = wrong[30] == "Q" ? "P" : "Q"
        for contents in [
            "", "# only\n", secret + "\n" + secret, text(network), "hello", key.identity.text, String(wrong),
        ] {
            let path = try folder.write(contents, to: "a.key")
            let error = failure { _ = try read(path) }
            #expect(error?.category == .malformed)
            #expect(error?.description.hasPrefix(path) == true)
            for start in 16..<(secret.count - 5) {
                #expect(error?.description.contains(secret.dropFirst(start).prefix(5)) == false)
            }
        }
    }

    @Test func `a comment that names another identity is refused`() throws {
        let secret = text(key.secretText())
        for stated in [signingKey(8).identity.text, "dht1nonsense", "alpha"] {
            let path = try folder.write("# identity: \(stated)\n\(secret)\n", to: "a.key")
            let error = failure { _ = try read(path) }
            #expect(error?.category == .malformed)
            #expect(error?.description.contains("comment") == true)
        }
    }

    // MARK: Networks

    @Test func `a network key file is written, read back and like a key file in all else`() throws {
        let network = NetworkKey()
        let path = folder.file("home.network")
        try NetworkKeyFile.write(network, to: path, created: created)
        #expect(folder.mode("home.network") == 0o600)
        let again = try NetworkKeyFile.read(path)
        #expect(again.id == network.id)
        let lines = folder.text("home.network").split(separator: "\n")
        #expect(lines[0] == "# dht network key, created 2026-11-24T17:06:00Z")
        #expect(lines[1].hasPrefix("DHT-NETWORK-1"))
        #expect(
            failure { try NetworkKeyFile.write(network, to: path, created: created) }?.category == .exists
        )
        #expect(failure { _ = try read(path) }?.category == .malformed)
        _ = try write("a.key")
        #expect(failure { _ = try NetworkKeyFile.read(folder.file("a.key")) }?.category == .malformed)
        try folder.setMode(0o644, of: "home.network")
        #expect(failure { _ = try NetworkKeyFile.read(path) }?.category == .permission)
    }
}
