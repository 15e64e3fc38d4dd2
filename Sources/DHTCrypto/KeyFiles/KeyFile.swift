import DHTCore

/// A node's key as it lies on disk, in the clear or under a passphrase: `docs/cli.md`, files.
///
///     # dht node key, created 2026-11-24T17:06:00Z, name: alpha
///     # identity: dht1…
///     DHT-SECRET-KEY-1…
package struct KeyFile: ~Copyable, Sendable {
    private enum Content: ~Copyable, Sendable {
        case plain(SigningKey)
        case sealed(SealedKey)
    }

    private static let identityMark = "# identity: "
    private static let nameMark = ", name: "
    private static let maker = "dht keygen -o FILE"

    package let path: String
    /// The name in the comment, if there is one.
    package let name: String?
    /// The identity of the key. Of a sealed one what the comment says, until ``signingKey(passphrase:)``
    /// checks it.
    package let identity: Identity?
    private let content: Content

    /// Whether a passphrase is needed.
    package var isSealed: Bool {
        switch content {
        case .plain: false
        case .sealed: true
        }
    }

    // MARK: Reading

    /// Reads a file that only its owner may read.
    ///
    /// - Parameter credentialsDirectory: Where the service manager puts secrets, with permissions of its own.
    package init(reading path: String, credentialsDirectory: String? = nil) throws(KeyFileError) {
        var bytes = try SecretFile.read(
            path,
            credentialsDirectory: credentialsDirectory,
            maker: Self.maker
        )
        defer { wipe(&bytes) }
        var lines = try KeyFileLines(bytes, path, maker: Self.maker)
        defer { wipe(&lines.secret) }
        let stated = lines.comments.lazy.compactMap { Self.suffix(of: $0, after: Self.identityMark) }.first
        let statedIdentity = stated.flatMap { try? Identity(text: $0) }
        guard stated == nil || statedIdentity != nil else { throw Self.contradiction(path) }
        let content = try Self.content(of: lines.secret, path)
        let identity =
            switch content {
            case .plain(let key): key.identity as Identity?
            case .sealed: statedIdentity
            }
        guard statedIdentity == nil || statedIdentity == identity else { throw Self.contradiction(path) }
        self.path = path
        name = lines.comments.first.flatMap { Self.name(in: $0) }
        self.identity = identity
        self.content = content
    }

    private static func content(
        of secret: [UInt8],
        _ path: String
    ) throws(KeyFileError) -> Content {
        do {
            if KeyKind(announcedBy: secret) == .sealedKey { return .sealed(try SealedKey(text: secret)) }
            return .plain(try SigningKey(secretText: secret))
        } catch {
            throw KeyFileError(.malformed, "\(path): \(error)")
        }
    }

    /// The key, if it is in the clear.
    package borrowing func signingKey() throws(KeyFileError) -> SigningKey {
        switch content {
        case .plain(let key): return key.copy()
        case .sealed:
            throw KeyFileError(.needsPassphrase, "\(path) is protected by a passphrase, and none was given")
        }
    }

    /// The key; of one in the clear the passphrase is not looked at.
    package borrowing func signingKey(passphrase: borrowing SecretBytes) throws(KeyFileError) -> SigningKey {
        switch content {
        case .plain(let key): return key.copy()
        case .sealed(let sealed):
            let key = try Self.open(sealed, passphrase, path)
            guard identity == nil || identity == key.identity else { throw Self.contradiction(path) }
            return key
        }
    }

    private static func open(
        _ sealed: SealedKey,
        _ passphrase: borrowing SecretBytes,
        _ path: String
    ) throws(KeyFileError) -> SigningKey {
        do {
            return try sealed.open(passphrase: passphrase)
        } catch {
            throw refusal(error, path)
        }
    }

    private static func refusal(_ failure: SealedKey.Failure, _ path: String) -> KeyFileError {
        switch failure {
        case .wrongPassphrase: KeyFileError(.wrongPassphrase, "\(path): wrong passphrase")
        case .unreasonableCost:
            KeyFileError(
                .malformed,
                "\(path): opening it would take more than 1 GiB of memory or 20 passes over it"
            )
        case .outOfMemory: KeyFileError(.io, "\(path): there is not enough memory to check the passphrase")
        }
    }

    private static func contradiction(_ path: String) -> KeyFileError {
        KeyFileError(
            .malformed,
            "\(path): the identity in its comment is not that of its key. Restore the file from a backup"
        )
    }

    private static func name(in comment: String) -> String? {
        comment.firstRange(of: nameMark).map { String(comment[$0.upperBound...]) }
    }

    private static func suffix(of line: String, after mark: String) -> String? {
        line.hasPrefix(mark) ? String(line.dropFirst(mark.count)) : nil
    }

    // MARK: Writing

    /// The text of a key file, to be written and then wiped.
    ///
    /// - Parameters:
    ///   - name: For people; control characters are left out.
    ///   - created: The time, as RFC 3339 writes it.
    ///   - sealed: The same key under a passphrase, to be written in its stead.
    package static func text(
        of key: borrowing SigningKey,
        name: String?,
        created: String,
        sealed: SealedKey? = nil
    ) -> [UInt8] {
        var first = "# dht node key, created \(oneLine(created))"
        if let name = name.map(oneLine), !name.isEmpty { first += nameMark + name }
        var secret = sealed?.text ?? key.secretText()
        defer { wipe(&secret) }
        return KeyFileLines.joined([first, identityMark + key.identity.text], secret)
    }

    /// Writes a key file of mode 0600, whole or not at all, over nothing unless `replacing`.
    ///
    /// - Returns: The name under which a file that was there is kept.
    @discardableResult
    package static func write(
        _ key: borrowing SigningKey,
        to path: String,
        name: String?,
        created: String,
        sealed: SealedKey? = nil,
        replacing: Bool = false
    ) throws(KeyFileError) -> String? {
        var text = text(of: key, name: name, created: created, sealed: sealed)
        defer { wipe(&text) }
        return try SecretFile.write(text, to: path, replacing: replacing)
    }

    /// At most 64 characters, none of which can end a comment's line or drive a terminal.
    fileprivate static func oneLine(_ text: String) -> String {
        let visible = text.unicodeScalars.filter {
            switch $0.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned: false
            default: true
            }
        }
        return String(String.UnicodeScalarView(visible.prefix(64)))
    }
}

/// An overlay's key as it lies on disk.
///
///     # dht network key, created 2026-11-24T17:06:00Z
///     DHT-NETWORK-1…
package enum NetworkKeyFile {
    private static let maker = "dht keygen --network -o FILE"

    /// Reads a file that only its owner may read; see ``KeyFile/init(reading:credentialsDirectory:)``.
    package static func read(_ path: String, credentialsDirectory: String? = nil) throws(KeyFileError)
        -> NetworkKey
    {
        var bytes = try SecretFile.read(
            path,
            credentialsDirectory: credentialsDirectory,
            maker: Self.maker
        )
        defer { wipe(&bytes) }
        var lines = try KeyFileLines(bytes, path, maker: Self.maker)
        defer { wipe(&lines.secret) }
        do throws(KeyTextError) { return try NetworkKey(secretText: lines.secret) } catch {
            throw KeyFileError(.malformed, "\(path): \(error)")
        }
    }

    /// The text of a network key file, to be written and then wiped.
    package static func text(of key: borrowing NetworkKey, created: String) -> [UInt8] {
        var secret = key.secretText()
        defer { wipe(&secret) }
        return KeyFileLines.joined(["# dht network key, created \(KeyFile.oneLine(created))"], secret)
    }

    /// Writes a network key file; see ``KeyFile/write(_:to:name:created:sealed:replacing:)``.
    @discardableResult
    package static func write(
        _ key: borrowing NetworkKey,
        to path: String,
        created: String,
        replacing: Bool = false
    ) throws(KeyFileError) -> String? {
        var text = text(of: key, created: created)
        defer { wipe(&text) }
        return try SecretFile.write(text, to: path, replacing: replacing)
    }
}

/// The lines of a key file: comments, and one that is the key.
private struct KeyFileLines {
    private(set) var comments: [String] = []
    /// ASCII, without blanks around it. The holder of these lines wipes it.
    var secret: [UInt8] = []

    init(_ bytes: [UInt8], _ path: String, maker: String) throws(KeyFileError) {
        for line in SecretFile.withoutMark(bytes).split(separator: UInt8(ascii: "\n")) {
            let content = Self.trimmed(line)
            if content.first == UInt8(ascii: "#") {
                comments.append(String(decoding: content, as: UTF8.self))
            } else if !content.isEmpty {
                guard secret.isEmpty else {
                    wipe(&secret)
                    throw KeyFileError(.malformed, "\(path) holds more than one key; keep one in each file")
                }
                secret = Array(content)
            }
        }
        guard !secret.isEmpty else {
            throw KeyFileError(.malformed, "\(path) holds no key. Make one: \(maker)")
        }
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isBlank(_ character: UInt8) -> Bool { [0x20, 0x09, 0x0D].contains(character) }
        guard let last = line.lastIndex(where: { !isBlank($0) }) else { return [] }
        return line[...last].drop(while: isBlank)
    }

    /// Comments, then the key, a line each.
    static func joined(_ comments: [String], _ secret: [UInt8]) -> [UInt8] {
        let head = Array((comments.joined(separator: "\n") + "\n").utf8)
        var text: [UInt8] = []
        text.reserveCapacity(head.count + secret.count + 1)  // a growing array leaves copies behind
        text += head
        text += secret
        text.append(UInt8(ascii: "\n"))
        return text
    }
}
