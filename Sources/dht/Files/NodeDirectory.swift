import DHTConfiguration
import DHTEnvelope
import DHTGateway
import Glibc
import SecureDHT

/// The directory of a node's keys, members and configuration: what `dht init` and `dht join` make.
struct NodeDirectory {
    static let (keyFile, networkFile, administratorFile) = ("node.key", "net.key", "admin.key")
    static let (rosterFile, listFile, configurationFile) = ("members.roster", "peers.allow", "dht.toml")

    let path: String

    func path(of file: String) -> String {
        path == "." ? file : path.hasSuffix("/") ? path + file : "\(path)/\(file)"
    }

    /// Fails if any of the files is there.
    func refuse(_ files: [String], command: String) throws(Failure) {
        for file in files {
            var status = stat()
            guard unsafe lstat(path(of: file), &status) == 0 else { continue }
            throw Failure(
                .conflict,
                "\(path(of: file)) is there already; nothing was made. "
                    + "Choose another directory: dht \(command) --dir DIR"
            )
        }
    }

    /// Makes all files, or none.
    func make(_ files: [(name: String, write: (String) throws -> Void)]) throws(Failure) {
        let isNew = unsafe mkdir(path, 0o700) == 0
        guard isNew || errno == EEXIST else { throw FileBytes.failure(path, "cannot be made") }
        var made: [String] = []
        do {
            for (name, write) in files {
                try write(path(of: name))
                made.append(name)
            }
        } catch {
            for name in made { unsafe unlink(path(of: name)) }
            if isNew { unsafe rmdir(path) }
            throw Failure(error)
        }
    }

    /// The address of `--listen` that others can use, if it is one.
    static func addresses(_ listen: String?) throws(Failure) -> [String] {
        guard let listen else { return [] }
        let address = try HostPort(toListenOn: listen) { Failure(.invalidArgument, "--listen: \($0)") }
        let isEverywhere = [HostPort.everywhere, "0.0.0.0", "::"].contains(address.host)
        return isEverywhere || address.port == 0 ? [] : [listen]
    }

    /// A configuration with these settings.
    static func configuration(
        _ name: String,
        _ listen: String?,
        _ more: [Setting: SettingValue]
    ) -> [UInt8] {
        var settings: [Setting: SettingValue] = [
            .key: .text(keyFile), .network: .text(networkFile), .name: .text(name),
        ]
        settings[.listen] = listen.map { .texts([$0]) }
        return Array(ConfigurationText.template(settings.merging(more) { $1 }).utf8)
    }
}
