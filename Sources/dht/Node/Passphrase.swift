import DHTCrypto
import DHTGateway
import Glibc
import SecureDHT

/// The passphrase of a key file: from a descriptor, a file, or a terminal that shows nothing of it.
enum Passphrase {
    /// The longest one, in bytes.
    private static let limit = 1024

    /// Where it is, if it is not to be typed.
    struct Source {
        var descriptor: Int32?
        var file: String?

        var isGiven: Bool { descriptor != nil || file != nil }
    }

    /// The passphrase of the protected file at `path`. The caller wipes it.
    static func ask(for path: String, _ source: Source) throws(DHTError) -> [UInt8] {
        if let given = try given(source) { return given }
        return try prompt("passphrase of \(path): ")
    }

    /// A passphrase for a new file, typed twice if it is typed.
    static func choose(_ source: Source) throws(DHTError) -> [UInt8] {
        if let given = try given(source) { return given }
        let first = try prompt("new passphrase: ")
        var second = try prompt("once more: ")
        defer { wipeBytes(&second) }
        guard first == second else {
            throw DHTError(.denied, "the two passphrases differ; nothing was written")
        }
        return first
    }

    private static func given(_ source: Source) throws(DHTError) -> [UInt8]? {
        if let descriptor = source.descriptor {
            guard let bytes = FileBytes.readAll(descriptor, limit: limit) else {
                throw DHTError(
                    .invalidArgument,
                    "--passphrase-fd \(descriptor) cannot be read: \(errnoText())"
                )
            }
            return try firstLine(bytes, of: "--passphrase-fd \(descriptor)")
        }
        guard let path = source.file else { return nil }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0, let bytes = FileBytes.readAll(descriptor, limit: limit) else {
            let reason = errnoText()
            throw DHTError(.configuration, "\(path) cannot be read: \(reason)")
        }
        close(descriptor)
        return try firstLine(bytes, of: path)
    }

    private static func firstLine(_ bytes: [UInt8], of source: String) throws(DHTError) -> [UInt8] {
        guard bytes.count <= limit else {
            throw DHTError(.invalidArgument, "\(source): more than \(limit) bytes")
        }
        let line = Array(
            SecretFile.withoutMark(bytes).prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        )
        guard !line.isEmpty else { throw DHTError(.denied, "\(source): the passphrase is empty") }
        return line
    }

    private static func prompt(_ text: String) throws(DHTError) -> [UInt8] {
        let descriptor = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard isatty(STDIN_FILENO) == 1, descriptor >= 0 else {
            if descriptor >= 0 { close(descriptor) }
            throw DHTError(
                .denied,
                "the key is protected by a passphrase and there is no terminal to ask on. "
                    + "Give --passphrase-fd NUMBER or --passphrase-file FILE"
            )
        }
        defer { close(descriptor) }
        _ = FileBytes.writeAll(Array(text.utf8), to: descriptor)
        let bytes = Terminal.withoutEcho(descriptor) { () -> [UInt8] in
            var line: [UInt8] = []
            var byte: UInt8 = 0
            while line.count < limit, unsafe read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") {
                line.append(byte)
            }
            return line
        }
        _ = FileBytes.writeAll([UInt8(ascii: "\n")], to: descriptor)
        guard !bytes.isEmpty else { throw DHTError(.denied, "the passphrase is empty") }
        return bytes
    }

    /// Overwrites `bytes` in place.
    static func wipeBytes(_ bytes: inout [UInt8]) {
        unsafe bytes.withUnsafeMutableBytes { buffer in
            guard let start = buffer.baseAddress else { return }
            unsafe explicit_bzero(start, buffer.count)
        }
    }
}
