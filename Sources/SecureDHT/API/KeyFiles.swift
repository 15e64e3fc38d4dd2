import DHTCore
import DHTCrypto
import DHTEnvelope
import FoundationEssentials
import Glibc

extension NodeKey {
    /// Reads a key file that only its owner may read.
    ///
    /// - Parameters:
    ///   - path: The file; its form is in `docs/cli.md`.
    ///   - credentialsDirectory: Where a service manager puts secrets, with permissions of its own.
    ///   - passphrase: Asked if the key is protected, and only then.
    /// - Throws: `configuration` for a missing or malformed file, `denied` for one that others may read or we
    ///   may not, and for a passphrase that is missing or wrong.
    public convenience init(
        file path: String,
        credentialsDirectory: String? = nil,
        passphrase: (() throws(DHTError) -> [UInt8])? = nil
    ) throws(DHTError) {
        Sodium.initialize()
        let file: KeyFile
        do { file = try KeyFile(reading: path, credentialsDirectory: credentialsDirectory) } catch {
            throw DHTError(reading: error)
        }
        let key: SigningKey
        if file.isSealed, let passphrase {
            var bytes = try passphrase()
            let secret = SecretBytes(wiping: &bytes)
            do { key = try file.signingKey(passphrase: secret) } catch { throw DHTError(reading: error) }
        } else {
            do { key = try file.signingKey() } catch { throw DHTError(reading: error) }
        }
        self.init(key)
    }

    /// The text of a key file: `# dht node key, created …`, the identity, the secret. Write it, then wipe it.
    ///
    /// - Parameters:
    ///   - name: For people; control characters are left out.
    ///   - created: Written into the first line.
    ///   - passphrase: Protects the key; guessing it costs 256 MiB and about a second a time.
    public func fileText(name: String? = nil, created: Date = Date(), passphrase: [UInt8]? = nil)
        throws(DHTError) -> [UInt8]
    {
        let created = created.formatted(.iso8601)
        return KeyFile.text(of: signingKey, name: name, created: created, sealed: try sealed(passphrase))
    }

    /// Writes a key file of mode 0600: whole, or not at all.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - name: For people; control characters are left out.
    ///   - created: Written into the first line.
    ///   - passphrase: Protects the key; guessing it costs 256 MiB and about a second a time.
    ///   - replacing: Whether a file of that name may be replaced; it is kept as `.bak`.
    /// - Returns: The name under which a file that was there is kept.
    /// - Throws: `conflict` if there is a file of that name, `invalidArgument` if it has no folder or is no
    ///   regular file, `denied` for permissions, `internal` for other errors of the system.
    @discardableResult
    public func write(
        to path: String,
        name: String? = nil,
        created: Date = Date(),
        passphrase: [UInt8]? = nil,
        replacing: Bool = false
    ) throws(DHTError) -> String? {
        let sealed = try sealed(passphrase)
        do {
            return try KeyFile.write(
                signingKey,
                to: path,
                name: name,
                created: created.formatted(.iso8601),
                sealed: sealed,
                replacing: replacing
            )
        } catch { throw DHTError(writing: error) }
    }

    private func sealed(_ passphrase: [UInt8]?) throws(DHTError) -> SealedKey? {
        guard var passphrase else { return nil }
        let secret = SecretBytes(wiping: &passphrase)
        do { return try SealedKey(signingKey, passphrase: secret) } catch {
            throw DHTError(.internal, "there is not enough memory to protect the key by a passphrase")
        }
    }
}

extension NetworkSecret {
    /// Reads a network key file that only its owner may read. Throws as
    /// ``NodeKey/init(file:credentialsDirectory:passphrase:)``.
    public convenience init(file path: String, credentialsDirectory: String? = nil) throws(DHTError) {
        Sodium.initialize()
        let key: NetworkKey
        do { key = try NetworkKeyFile.read(path, credentialsDirectory: credentialsDirectory) } catch {
            throw DHTError(reading: error)
        }
        self.init(key)
    }

    /// The text of a network key file. Write it, then wipe it.
    public func fileText(created: Date = Date()) -> [UInt8] {
        NetworkKeyFile.text(of: networkKey, created: created.formatted(.iso8601))
    }

    /// Writes a network key file; see ``NodeKey/write(to:name:created:passphrase:replacing:)``.
    @discardableResult
    public func write(to path: String, created: Date = Date(), replacing: Bool = false) throws(DHTError)
        -> String?
    {
        let created = created.formatted(.iso8601)
        do {
            return try NetworkKeyFile.write(networkKey, to: path, created: created, replacing: replacing)
        } catch { throw DHTError(writing: error) }
    }
}

extension Allowlist {
    /// Reads one allowlist file. Throws `configuration` with file, line and column of what is wrong.
    public init(file path: String) throws(DHTError) {
        let bytes = try Self.contents(of: path)
        do { try self.init(parsing: bytes, file: path) } catch { throw DHTError(.configuration, "\(error)") }
    }

    /// Reads several files as one list: a contradiction between them is an error, a revocation in any of them
    /// wins.
    public init(files paths: [String]) throws(DHTError) {
        self.init()
        for path in paths {
            let list = try Allowlist(file: path)
            do { try merge(list) } catch { throw DHTError(.configuration, "\(error)") }
        }
    }

    /// More than the parser takes, so that it is the one to refuse.
    private static let mostBytesRead = 9 << 20

    static func contents(of path: String) throws(DHTError) -> [UInt8] {
        guard !mentionsSecret(path) else {
            throw DHTError(
                .configuration,
                "the name of an allowlist holds a secret; it was not printed or stored"
            )
        }
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw errno == EACCES
                ? DHTError(.denied, "\(path) cannot be read: permission denied. See its owner: ls -l \(path)")
                : DHTError(.configuration, "\(path) cannot be read: \(systemMessage(errno))")
        }
        defer { close(file) }
        try Exposure.refuse(file, path)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < mostBytesRead {
            let count = unsafe read(file, &buffer, buffer.count)
            if count == 0 { break }
            guard count > 0 || errno == EINTR else {
                throw DHTError(.configuration, "\(path) cannot be read: \(systemMessage(errno))")
            }
            bytes += buffer[..<max(count, 0)]
        }
        return bytes
    }

    private static func systemMessage(_ code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}

extension DHTError {
    /// The failure to read a key file that a node needs: `configuration` if there is none or it is broken,
    /// `denied` for permissions and passphrases, `internal` for other errors of the system.
    package init(reading error: KeyFileError) {
        switch error.category {
        case .permission, .wrongPassphrase, .needsPassphrase: self.init(.denied, error.description)
        case .notFound, .exists, .malformed: self.init(.configuration, error.description)
        case .full, .io: self.init(.internal, error.description)
        }
    }

    /// The failure to write a key file: `conflict` if one of that name exists, `invalidArgument` if it has no
    /// folder or is no regular file, `denied` for permissions, `internal` for other errors of the system.
    package init(writing error: KeyFileError) {
        switch error.category {
        case .permission, .wrongPassphrase, .needsPassphrase: self.init(.denied, error.description)
        case .exists: self.init(.conflict, error.description)
        case .notFound, .malformed: self.init(.invalidArgument, error.description)
        case .full, .io: self.init(.internal, error.description)
        }
    }
}

/// Whether a text that should be a name or an address holds a secret key, so that no message may repeat it.
func mentionsSecret(_ text: String) -> Bool {
    KeyKind(mentionedIn: Array(text.utf8)[...]).map { $0 != .identity } ?? false
}
