import DHTConfiguration
import DHTGateway
import Glibc
import SecureDHT

extension NodeSettings {
    /// Flags, variables, and the file that either names.
    init(_ options: NodeOptions, _ globals: GlobalOptions) throws(Failure) {
        let environment = GlobalOptions.environment
        let path = options.config ?? Self.file(in: environment)
        try self.init(
            flags: options.given(globals),
            environment: environment,
            file: try path.map { (path) throws(Failure) in try ConfigurationFile(reading: path) }
        )
    }
}

extension ConfigurationFile {
    /// Reads a file that nobody but root and ourselves may change: it says who is admitted.
    init(reading path: String) throws(Failure) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.unreadable(path) }
        defer { close(descriptor) }
        do { try Exposure.refuse(descriptor, path) } catch { throw Failure(error) }
        guard let bytes = FileBytes.readAll(descriptor, limit: Self.largest) else {
            throw Self.unreadable(path)
        }
        try self.init(parsing: bytes, path: path)
    }

    private static func unreadable(_ path: String) -> Failure {
        let number = errno
        return Failure(
            number == EACCES ? .denied : .configuration,
            "\(path) cannot be read: \(errnoText(number))"
                + (number == ENOENT ? ". Make one, with keys and a list: dht init" : "")
        )
    }
}

extension Passphrase.Source {
    init(_ settings: NodeSettings) {
        self.init(
            descriptor: settings.number(.passphraseDescriptor).map { Int32(clamping: $0) },
            file: settings.text(.passphraseFile)
        )
    }
}

extension ControlServer.Access {
    /// The users who may open the control socket.
    init(_ settings: NodeSettings) throws(Failure) {
        guard let group = settings.text(.socketGroup) else {
            self = .owner
            return
        }
        guard let entry = unsafe getgrnam(group) else {
            throw Failure(
                .configuration,
                "\(settings.word(for: .socketGroup)): there is no group \"\(group)\""
            )
        }
        self = .group(unsafe entry.pointee.gr_gid)
    }
}
