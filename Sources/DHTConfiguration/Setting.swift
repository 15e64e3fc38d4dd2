import DHTGateway

/// A setting of a node: its key in a configuration file, from which its flag and its variable follow.
package enum Setting: String, CaseIterable, Sendable {
    case key
    case allow
    case admin
    case open
    case network
    case listen
    case peer
    case name
    case paths
    case threads
    case data
    case sync
    case ephemeral
    case socket
    case socketGroup = "socket-group"
    case http
    case httpToken = "http-token"
    case httpHost = "http-host"
    case shell
    case logFormat = "log-format"
    case quiet
    case verbose
    case passphraseFile = "passphrase-file"
    case passphraseDescriptor = "passphrase-fd"

    /// The variable that names a configuration file. It is no setting: a file names no other.
    package static let fileVariable = "DHT_CONFIG"

    /// Settings of which one stands for the other: given more strongly, it puts the other out of force.
    static let rivals: [[Setting]] = [
        [.allow, .open], [.data, .ephemeral], [.quiet, .verbose], [.passphraseFile, .passphraseDescriptor],
    ]

    /// Numbers of descriptors.
    static let anyNumber = 0...Int(Int32.max)

    /// `--socket-group`
    package var flag: String { "--\(rawValue)" }

    /// `DHT_SOCKET_GROUP`
    package var variable: String {
        "DHT_" + rawValue.uppercased().split(separator: "-").joined(separator: "_")
    }

    /// The row of the table.
    package var definition: Definition {
        guard let definition = Self.table[self] else { preconditionFailure("\(self) is in no row") }
        return definition
    }

    package var kind: Kind { definition.kind }

    /// The value where nobody gives one; `nil`: there is none, or it depends on the machine.
    package var fallback: SettingValue? {
        if case .value(let value) = definition.fallback { value } else { nil }
    }

    /// The default, in words.
    package var fallbackWords: String {
        switch definition.fallback {
        case .value(let value): value.literal
        case .words(let words): words
        }
    }

    /// The form of a value: ``Kind`` and the name of what it is.
    package var form: String {
        switch kind {
        case .text, .path: definition.valueName
        case .texts, .paths: "list of \(definition.valueName)"
        case .number(let range):
            range == Self.anyNumber ? "number" : "\(range.lowerBound)–\(range.upperBound)"
        case .choice(let words): words.map { "\"\($0)\"" }.joined(separator: ", ")
        case .toggle: "true, false"
        }
    }

    /// A line of a configuration file that sets it, to copy.
    package var example: String {
        let value: SettingValue =
            switch kind {
            case .text, .path: .text(definition.valueName)
            case .texts, .paths: .texts([definition.valueName])
            case .number(let range): .number(range.lowerBound)
            case .choice(let words): .text(words[0])
            case .toggle: .toggle(true)
            }
        return "\(rawValue) = \(value.literal)"
    }

    // MARK: Its row

    package enum Kind: Hashable, Sendable {
        case text
        /// The name of a file or directory.
        case path
        case texts
        case paths
        case number(ClosedRange<Int>)
        /// One of these words.
        case choice([String])
        /// On or off.
        case toggle
    }

    package enum Fallback: Hashable, Sendable {
        case value(SettingValue)
        case words(String)
    }

    package struct Definition: Hashable, Sendable {
        package let kind: Kind
        /// The value, in usage lines and examples.
        package let valueName: String
        package let fallback: Fallback
        /// The effect, in one sentence or a few.
        package let summary: String

        fileprivate init(_ kind: Kind, _ valueName: String, _ fallback: Fallback, _ summary: String) {
            (self.kind, self.valueName, self.fallback, self.summary) = (kind, valueName, fallback, summary)
        }

        fileprivate static func toggle(_ summary: String) -> Self {
            Self(.toggle, "", .value(.toggle(false)), summary)
        }
    }

    private static let table: [Setting: Definition] = [
        .key: Definition(.path, "file", .words("none: refuses to start"), "The node's key file."),
        .allow: Definition(
            .paths,
            "file",
            .words("none: refuses to start"),
            "Who is a member: allowlists, one identity a line, or a signed roster to begin with."
        ),
        .admin: Definition(
            .path,
            "file",
            .words("none: others sign rosters"),
            "An administrator's key file: with it the node signs rosters, for dht admit and dht revoke."
        ),
        .open: .toggle("Admit every holder of the network key, instead of an allowlist."),
        .network: Definition(
            .path,
            "file",
            .words("the key that everybody knows"),
            "The network key's file; the same key on every node."
        ),
        .listen: Definition(
            .texts,
            "host:port",
            .value(.texts(["0.0.0.0:4100"])),
            "Where to listen; port 0 takes a free one, *:4100 is IPv4 and IPv6."
        ),
        .peer: Definition(
            .texts,
            "dht://IDENTITY@HOST:PORT",
            .words("none"),
            "Peers to contact first, besides those that the allowlist has addresses of."
        ),
        .name: Definition(.text, "name", .words("none"), "What to call the node; for people only."),
        .paths: Definition(
            .number(ValueLimits.paths),
            "number",
            .value(.number(1)),
            "Disjoint paths of each lookup for a user: 1 to 8. More of them withstand more liars."
        ),
        .threads: Definition(
            .number(ValueLimits.threads),
            "number",
            .words("one a processor"),
            "Threads for signatures and boxes when many datagrams come at once: 1 to 256."
        ),
        .data: Definition(
            .path,
            "dir",
            .words("$STATE_DIRECTORY, else dht/NODE_ID in $XDG_STATE_HOME or ~/.local/state"),
            "The directory in which the node keeps its records, its own and nobody else's."
        ),
        .sync: Definition(
            .choice(["full", "normal"]),
            "mode",
            .value(.text("full")),
            "What an acknowledged record survives: full, also a power cut; normal, a crash of the process."
        ),
        .ephemeral: .toggle("Keep records in memory only: they end with the process."),
        .socket: Definition(
            .path,
            "path",
            .words("$XDG_RUNTIME_DIR/dht/dht.sock, else /run/dht/dht.sock"),
            "The control socket. Commands look for one elsewhere than there only if they are told: -s."
        ),
        .socketGroup: Definition(
            .text,
            "group",
            .words("none"),
            "Let this group open the control socket too."
        ),
        .http: Definition(
            .text,
            "host:port",
            .words("none"),
            "Serve HTTP there: health, metrics and, with a token, values. Port 0 takes a free one."
        ),
        .httpToken: Definition(
            .path,
            "file",
            .words("none: no values over HTTP"),
            "The token that opens values over HTTP: 32 bytes at least, in a file of mode 0600."
        ),
        .httpHost: Definition(.texts, "name", .words("none"), "Further names the HTTP port may be asked by."),
        .shell: .toggle("Read commands from standard input; so it is anyway on a terminal."),
        .logFormat: Definition(
            .choice(LogFormat.allCases.map(\.rawValue)),
            "form",
            .words("journal where standard error leads to it, else text"),
            "The form of the log: text, json (an object a line), or journal (entries with fields)."
        ),
        .quiet: .toggle("Log errors only."),
        .verbose: .toggle("Log for debugging."),
        .passphraseFile: Definition(
            .path,
            "file",
            .words("asked on a terminal"),
            "Read the key's passphrase from this file."
        ),
        .passphraseDescriptor: Definition(
            .number(anyNumber),
            "number",
            .words("none"),
            "Read the key's passphrase from this open descriptor."
        ),
    ]
}
