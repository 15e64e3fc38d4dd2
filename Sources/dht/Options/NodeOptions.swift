import ArgumentParser

/// A node's settings; `dht node` starts with them and `dht check` only looks at it.
struct NodeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The node's key file.", valueName: "file"), completion: .file())
    var key: String?

    @Option(help: ArgumentHelp("An allowlist, one identity a line. May be given again.", valueName: "file"))
    var allow: [String] = []

    @Flag(help: "Admit every holder of the network key, instead of an allowlist.")
    var open = false

    @Option(
        help: ArgumentHelp(
            "The network key's file; without it the key that everybody knows.",
            valueName: "file"
        )
    )
    var network: String?

    @Option(
        help: ArgumentHelp(
            "Where to listen; port 0 takes a free one, *:4100 is IPv4 and IPv6. May be given again. "
                + "Default 0.0.0.0:4100.",
            valueName: "host:port"
        )
    )
    var listen: [String] = []

    @Option(
        help: ArgumentHelp(
            "A peer to contact first, dht://IDENTITY@HOST:PORT. May be given again.",
            valueName: "uri"
        )
    )
    var peer: [String] = []

    @Option(
        help: ArgumentHelp(
            "Disjoint paths of each lookup for a user: 1 to 8. More of them withstand more liars. Default 1.",
            valueName: "number"
        )
    )
    var paths: Int?

    @Option(help: ArgumentHelp("What to call the node; for people only.", valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "The directory in which the node keeps its records, its own and nobody else's.",
            discussion: "Default: $STATE_DIRECTORY, else dht/NODE_ID in $XDG_STATE_HOME or ~/.local/state.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var data: String?

    @Flag(help: "Keep records in memory only: they end with the process.")
    var ephemeral = false

    @Option(
        help: ArgumentHelp(
            "What an acknowledged record survives: full, also a power cut; normal, a crash of the process.",
            valueName: "mode"
        ),
        completion: .list(["full", "normal"])
    )
    var sync: String?

    @Flag(help: "Read commands from standard input; so it is anyway on a terminal.")
    var shell = false

    @Option(
        help: ArgumentHelp(
            "The form of the log: text, json (an object a line), or journal (entries with fields).",
            discussion: "Default: journal where standard error leads to it, else text.",
            valueName: "form"
        )
    )
    var logFormat: LogFormat?

    @Option(help: ArgumentHelp("Let this group open the control socket too.", valueName: "group"))
    var socketGroup: String?

    @OptionGroup var http: HTTPOptions

    @OptionGroup var passphrase: PassphraseOptions
}

/// The HTTP port of a node.
struct HTTPOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Serve HTTP there: health, metrics and, with --http-token, values. Port 0 takes a free one.",
            valueName: "host:port"
        )
    )
    var http: String?

    @Option(
        help: ArgumentHelp(
            "The token that opens values over HTTP: 32 bytes at least, in a file of mode 0600.",
            valueName: "file"
        ),
        completion: .file()
    )
    var httpToken: String?

    @Option(help: ArgumentHelp("A further name it may be asked by. May be given again.", valueName: "name"))
    var httpHost: [String] = []
}

/// Where the passphrase of a protected key file comes from. Never an argument, never the environment.
struct PassphraseOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read the key's passphrase from this open descriptor.", valueName: "number"))
    var passphraseFd: Int32?

    @Option(
        help: ArgumentHelp("Read the key's passphrase from this file.", valueName: "file"),
        completion: .file()
    )
    var passphraseFile: String?

    var isGiven: Bool { passphraseFd != nil || passphraseFile != nil }
}
