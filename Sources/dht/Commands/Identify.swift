import ArgumentParser
import DHTCrypto
import DHTGateway
import SecureDHT

struct Identify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "id",
        abstract: "Prints the identity of a key file, or of the running node."
    )

    @Argument(help: "A key file.", completion: .file())
    var file: String?

    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let reply: IdentityReply
        if let file {
            Signals.exitOnInterrupt()
            reply = try read(file)
        } else {
            reply = try await globals.node().identity()
        }
        if globals.json { Output.json(reply) } else { Output.line(reply.id) }
    }

    private func read(_ file: String) throws(Failure) -> IdentityReply {
        do {
            let credentials = GlobalOptions.environment["CREDENTIALS_DIRECTORY"]
            let keyFile = try KeyFile(reading: file, credentialsDirectory: credentials)
            // A protected file tells its identity in a comment, which is believed unless a passphrase is at
            // hand.
            if let identity = keyFile.identity, !keyFile.isSealed || !passphrase.source.isGiven {
                return IdentityReply(id: identity.text, nodeID: "\(identity.nodeID)", name: keyFile.name)
            }
            let key = try NodeKey(file: file, credentialsDirectory: credentials) { () throws(DHTError) in
                try Passphrase.ask(for: file, passphrase.source)
            }
            return IdentityReply(id: key.identity.text, nodeID: "\(key.identity.nodeID)", name: keyFile.name)
        } catch let error as KeyFileError {
            throw Failure(DHTError(reading: error))
        } catch { throw Failure(error) }
    }
}
