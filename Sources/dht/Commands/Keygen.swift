import ArgumentParser
import DHTCrypto
import DHTGateway
import SecureDHT

struct Keygen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Makes an identity, or with --network a network key."
    )

    @Flag(help: "Make a network key: the secret all nodes of one overlay share.")
    var network = false

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp(
            "Write the key here, for your eyes only; - is standard output.",
            valueName: "file"
        ),
        completion: .file()
    )
    var output: String?

    @Option(name: .customShort("C"), help: ArgumentHelp("A name, noted in the file.", valueName: "name"))
    var comment: String?

    @Flag(help: "Protect the key by a passphrase.")
    var passphrase = false

    @Flag(help: "Overwrite; the old file stays beside as .bak.")
    var force = false

    @Flag(name: [.short, .long], help: "No hints.")
    var quiet = false

    @Flag(help: "One JSON object on standard output; goes with -o.")
    var json = false

    @OptionGroup var passphraseSource: PassphraseOptions

    mutating func run() async throws {
        Signals.exitOnInterrupt()
        if output == "-" { output = nil }
        guard output != nil || !json else {
            throw Failure(
                .invalidArgument,
                "--json needs -o FILE: a secret is only ever written as a key file"
            )
        }
        guard output != nil || !force else { throw Failure(.invalidArgument, "--force needs -o FILE") }
        do { network ? try makeNetworkKey() : try makeIdentity() } catch { throw Failure(error) }
    }

    private func makeIdentity() throws {
        let key = NodeKey()
        let isProtected = passphrase || passphraseSource.source.isGiven
        var secret = isProtected ? try Passphrase.choose(passphraseSource.source) : []
        defer { Passphrase.wipeBytes(&secret) }
        let protection = isProtected ? secret : nil
        guard let output else {
            var text = try key.fileText(name: comment, passphrase: protection)
            defer { Passphrase.wipeBytes(&text) }
            Output.bytes(text)
            return Output.talk(key.identity.text)
        }
        let kept = try key.write(
            to: output,
            name: comment,
            passphrase: protection,
            replacing: force
        )
        tellKept(kept)
        if json {
            Output.json(IdentityReply(id: key.identity.text, nodeID: "\(key.identity.nodeID)", name: comment))
        } else {
            Output.line(key.identity.text)
        }
        hint(
            "give the line above to your peers, list theirs in peers.allow, then: "
                + "dht node --key \(shellQuoted(output)) --allow peers.allow"
        )
    }

    private func makeNetworkKey() throws {
        guard comment == nil, !passphrase else {
            throw Failure(.invalidArgument, "a network key takes no name and no passphrase")
        }
        let secret = NetworkSecret()
        guard let output else {
            var text = secret.fileText()
            defer { Passphrase.wipeBytes(&text) }
            return Output.bytes(text)
        }
        tellKept(try secret.write(to: output, replacing: force))
        hint("copy \(output) to every node in secret, then: dht node --network \(shellQuoted(output)) …")
    }

    private func tellKept(_ path: String?) {
        if let path { hint("the old file is kept as \(path)") }
    }

    private func hint(_ text: String) {
        if !quiet, !json { Output.talk(text) }
    }
}
