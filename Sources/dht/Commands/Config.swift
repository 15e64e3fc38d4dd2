import ArgumentParser
import DHTConfiguration
import DHTGateway

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Shows the settings a node would start with.",
        subcommands: [ShowConfiguration.self]
    )
}

struct ShowConfiguration: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Prints every setting that dht node would have with these flags, as a configuration file."
    )

    @Flag(help: "Say where each value is from: a flag, a variable, a line of the file, or the default.")
    var origin = false

    @OptionGroup var options: NodeOptions
    @OptionGroup var globals: GlobalOptions

    private struct Reply: Encodable {
        var schema = 1
        /// The configuration file.
        var file: String?
        var settings: [Row]
    }

    private struct Row: Encodable {
        var key: String
        var value: SettingValue?
        var `default`: String
        var origin: String
        /// The flag, the variable, or `FILE:LINE:COLUMN`.
        var place: String?

        init(_ setting: Setting, _ settings: NodeSettings) {
            (key, value, `default`) = (setting.rawValue, settings.value(setting), setting.fallbackWords)
            (origin, place) =
                switch settings.origin(setting) {
                case .flag: ("flag", setting.flag)
                case .variable: ("variable", setting.variable)
                case .file(let place): ("file", "\(place)")
                case .fallback: ("default", nil)
                }
        }
    }

    func run() async throws {
        Signals.exitOnInterrupt()
        let settings = try NodeSettings(options, globals)
        let reply = Reply(file: settings.file, settings: Setting.allCases.map { Row($0, settings) })
        globals.show(reply) { _ in ConfigurationText.lines(settings, withOrigin: origin) }
    }
}
