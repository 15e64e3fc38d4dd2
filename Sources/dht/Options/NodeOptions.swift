import ArgumentParser
import DHTConfiguration

/// A node's settings; `dht node` starts with them, and others only look at them.
struct NodeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A configuration file: every option below as key = value. Flags and DHT_* variables outdo it.",
            valueName: "file"
        ),
        completion: .file()
    )
    var config: String?

    @Option(help: Setting.key.help, completion: .file())
    var key: String?

    @Option(help: Setting.allow.help, completion: .file())
    var allow: [String] = []

    @Option(help: Setting.admin.help, completion: .file())
    var admin: String?

    @Flag(help: Setting.open.help)
    var open = false

    @Option(help: Setting.network.help, completion: .file())
    var network: String?

    @Option(help: Setting.listen.help)
    var listen: [String] = []

    @Option(help: Setting.peer.help)
    var peer: [String] = []

    @Option(help: Setting.paths.help)
    var paths: Int?

    @Option(help: Setting.threads.help)
    var threads: Int?

    @Option(help: Setting.name.help)
    var name: String?

    @Option(help: Setting.data.help, completion: .directory)
    var data: String?

    @Flag(help: Setting.ephemeral.help)
    var ephemeral = false

    @Option(help: Setting.sync.help, completion: .list(["full", "normal"]))
    var sync: String?

    @Flag(help: Setting.shell.help)
    var shell = false

    @Option(help: Setting.logFormat.help, completion: .list(LogFormat.allCases.map(\.rawValue)))
    var logFormat: String?

    @Option(help: Setting.socketGroup.help)
    var socketGroup: String?

    @OptionGroup var http: HTTPOptions

    @OptionGroup var passphrase: PassphraseOptions
}

/// The HTTP port of a node.
struct HTTPOptions: ParsableArguments {
    @Option(help: Setting.http.help)
    var http: String?

    @Option(help: Setting.httpToken.help, completion: .file())
    var httpToken: String?

    @Option(help: Setting.httpHost.help)
    var httpHost: [String] = []
}

/// Where the passphrase of a protected key file comes from. Never an argument, never the environment.
struct PassphraseOptions: ParsableArguments {
    @Option(help: Setting.passphraseDescriptor.help)
    var passphraseFd: Int32?

    @Option(help: Setting.passphraseFile.help, completion: .file())
    var passphraseFile: String?

    var source: Passphrase.Source { Passphrase.Source(descriptor: passphraseFd, file: passphraseFile) }
}

extension NodeOptions {
    /// The settings that flags give.
    func given(_ globals: GlobalOptions) -> [Setting: SettingValue] {
        var given: [Setting: SettingValue] = [:]
        let texts: [(Setting, String?)] = [
            (.key, key), (.admin, admin), (.network, network), (.name, name), (.data, data), (.sync, sync),
            (.logFormat, logFormat),
            (.socket, globals.socket), (.socketGroup, socketGroup), (.http, http.http),
            (.httpToken, http.httpToken), (.passphraseFile, passphrase.passphraseFile),
        ]
        for (setting, text) in texts { given[setting] = text.map { .text($0) } }
        let lists: [(Setting, [String])] = [
            (.allow, allow), (.listen, listen), (.peer, peer), (.httpHost, http.httpHost),
        ]
        for (setting, texts) in lists where !texts.isEmpty { given[setting] = .texts(texts) }
        let switches: [(Setting, Bool)] = [
            (.open, open), (.ephemeral, ephemeral), (.shell, shell), (.quiet, globals.quiet),
            (.verbose, globals.verbose),
        ]
        for (setting, isOn) in switches where isOn { given[setting] = .toggle(true) }
        given[.paths] = paths.map { .number($0) }
        given[.threads] = threads.map { .number($0) }
        given[.passphraseDescriptor] = passphrase.passphraseFd.map { .number(Int($0)) }
        return given
    }
}

extension Setting {
    /// The text of its flag in the help of a command.
    fileprivate var help: ArgumentHelp {
        var sentences = definition.summary
        switch kind {
        case .texts, .paths: sentences += " May be given again."
        case .text, .path, .number, .choice, .toggle: break
        }
        switch definition.fallback {
        case .value(.toggle): break
        case .value(.text(let text)): sentences += " Default: \(text)."
        case .value(.texts(let texts)): sentences += " Default: \(texts.joined(separator: ", "))."
        case .value(.number(let number)): sentences += " Default: \(number)."
        case .words(let words): sentences += words == "none" ? "" : " Default: \(words)."
        }
        let name = definition.valueName
        return ArgumentHelp(sentences, valueName: name.isEmpty ? nil : name)
    }
}
