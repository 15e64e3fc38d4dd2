import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct KeyTests {
        @Test func `keygen prints the identity alone, writes a private file, and never overwrites it`() throws
        {
            let folder = try Folder()
            let made = try Program.run("keygen", "-o", "a.key", "-C", "alpha", in: folder)
            #expect(made.status == 0)
            #expect(made.text.hasPrefix("dht1") && made.text.count == 63)
            #expect(folder.mode("a.key") == 0o600)
            let text = folder.text("a.key")
            #expect(text.contains("name: alpha") && text.contains("# identity: \(made.text)"))
            #expect(!made.errors.contains("DHT-SECRET-KEY"))

            let again = try Program.run("keygen", "-o", "a.key", in: folder)
            #expect(again.status == 4)
            #expect(folder.text("a.key") == text)
            let forced = try Program.run("keygen", "-o", "a.key", "--force", in: folder)
            #expect(forced.status == 0)
            #expect(folder.text("a.key.bak") == text)
            #expect(folder.mode("a.key.bak") == 0o600)
            let id = try Program.run("id", "a.key", "--json", in: folder)
            #expect(id["id"] as? String == forced.line)
            #expect((id["node_id"] as? String)?.count == 40)
            #expect(try folder.names() == ["a.key", "a.key.bak"])
        }

        @Test func `a network key is a secret file like any key, and has no name`() throws {
            let folder = try Folder()
            let made = try Program.run("keygen", "--network", "-o", "net.key", in: folder)
            #expect(made.status == 0 && made.output.isEmpty)
            #expect(folder.mode("net.key") == 0o600)
            let text = folder.text("net.key")
            #expect(text.contains("DHT-NETWORK-1") && !made.errors.contains("DHT-NETWORK"))
            #expect(try Program.run("keygen", "--network", "-o", "net.key", in: folder).status == 4)
            #expect(folder.text("net.key") == text)
            #expect(try Program.run("keygen", "--network", "-C", "x", "-o", "b.key", in: folder).status == 2)
            #expect(try Program.run("id", "net.key", in: folder).status == 9)
        }

        @Test func `without a file the key goes to stdout and the identity to stderr`() throws {
            let folder = try Folder()
            let made = try Program.run("keygen", in: folder)
            #expect(made.text.contains("DHT-SECRET-KEY-1"))
            #expect(made.errors.contains("dht1") && !made.errors.contains("DHT-SECRET-KEY"))
            let network = try Program.run("keygen", "--network", in: folder)
            #expect(network.text.contains("DHT-NETWORK-1"))
            #expect(try folder.names().isEmpty)
        }

        @Test func `a folder that is not there is told how to be made`() throws {
            let ending = try Program.run("keygen", "-o", "none/a.key", in: try Folder())
            #expect(ending.status == 2)
            #expect(ending.complaint.contains("mkdir"))
            #expect(ending.output.isEmpty)
        }

        @Test func `a protected key opens with its passphrase and no other`() throws {
            let folder = try Folder()
            try folder.write("correct horse\n", to: "right", mode: 0o600)
            try folder.write("battery staple\n", to: "wrong", mode: 0o600)
            let made = try Program.run(
                "keygen",
                "--passphrase",
                "--passphrase-file",
                "right",
                "-o",
                "sealed.key",
                in: folder
            )
            #expect(made.status == 0, "\(made.errors)")
            #expect(folder.text("sealed.key").contains("DHT-SEALED-KEY-1"))
            #expect(!folder.text("sealed.key").contains("DHT-SECRET-KEY"))
            try folder.write("\(made.line) sealed\n", to: "sealed.allow")

            let start = ["node", "--key", "sealed.key", "--allow", "sealed.allow", "--listen", "127.0.0.1:0"]
            let unasked = try Program.run(start, in: folder)
            #expect(unasked.status == 5 && unasked.complaint.contains("--passphrase-fd"))
            let wrong = try Program.run(start + ["--passphrase-file", "wrong"], in: folder)
            #expect(wrong.status == 5 && !wrong.complaint.contains("\n"))
            let node = try NodeProcess(
                "sealed",
                identity: made.line,
                in: folder,
                arguments: [
                    "--allow", "sealed.allow", "--listen", "127.0.0.1:0", "--passphrase-file", "right",
                ]
            )
            #expect(try node.dht("put", "a", "b").status == 0)

            // From a descriptor, as a password store would hand it over.
            let command = "exec '\(Program.path)' id sealed.key --passphrase-fd 3 3<"
            let opened = try Program.run("-c", command + "right", in: folder, executable: "/bin/sh")
            #expect(opened.line == made.line)
            #expect(try Program.run("-c", command + "wrong", in: folder, executable: "/bin/sh").status == 5)
        }

        @Test func `a full disk leaves no half of a key`() throws {
            let folder = try Folder()
            let command = "ulimit -f 0; trap '' XFSZ; exec '\(Program.path)' keygen -o full.key"
            let ending = try Program.run("-c", command, in: folder, executable: "/bin/bash")
            #expect(ending.status == 1)
            #expect(try folder.names().isEmpty)
        }
    }
}
