import CSodium

/// The text that a client shows to be let in. A file has it, kept as a key file is.
package final class AccessToken: Sendable {
    /// Bytes. Fewer can be guessed, more are no token.
    package static let lengths = 32...4096
    private static let maker = "(umask 077; head -c 32 /dev/urandom | base64 > FILE)"

    private let secret: SecretBytes

    /// The token of a file, without the blanks and ends of lines around it: printable ASCII without blanks,
    /// as a header can carry it. Group and others have no access to the file.
    package init(file path: String, credentialsDirectory: String?) throws(KeyFileError) {
        var bytes = try SecretFile.read(
            path,
            credentialsDirectory: credentialsDirectory,
            maker: Self.maker
        )
        defer { wipe(&bytes) }
        let blanks = Array(" \t\r\n".utf8)
        let text = SecretFile.withoutMark(bytes).drop { blanks.contains($0) }
        var token = Array(text.reversed().drop { blanks.contains($0) }.reversed())
        defer { wipe(&token) }
        guard Self.lengths.contains(token.count) else {
            throw KeyFileError(
                .malformed,
                "\(path): the token has \(token.count) bytes, a token has \(Self.lengths.lowerBound) to "
                    + "\(Self.lengths.upperBound). Make one: \(Self.maker)"
            )
        }
        guard token.allSatisfy({ $0 > UInt8(ascii: " ") && $0 < UInt8(ascii: "\u{7F}") }) else {
            throw KeyFileError(
                .malformed,
                "\(path): a token is printable ASCII without blanks. Make one: \(Self.maker)"
            )
        }
        secret = SecretBytes(wiping: &token)
    }

    /// Whether `text` is the token. How long it takes tells of its length alone.
    package func matches(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == secret.count else { return false }
        return unsafe sodium_memcmp(secret.pointer, bytes, bytes.count) == 0
    }
}
