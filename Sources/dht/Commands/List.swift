import ArgumentParser
import DHTGateway

struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists our own values that the running node keeps alive: what put --keep wrote."
    )

    @Flag(help: "Our own values; so it is anyway: others' a network without a center cannot list.")
    var own = false

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let reply = try await globals.node().kept()
        guard !globals.json else { return Output.json(reply) }
        for value in reply.values {
            let renewed = value.renewed.map { Output.timestamp(unixSeconds: $0) }
            Output.line(ShellText.kept(value, renewed: renewed))
        }
        if reply.values.isEmpty {
            globals.hint("nothing is kept alive. Keep a value: dht put --keep KEY VALUE")
        }
    }
}
