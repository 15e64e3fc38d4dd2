import DHTCore
import Foundation

@testable import DHTCrypto

/// The bytes of hexadecimal digits.
func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = hexadecimal.compactMap(\.hexDigitValue)
    precondition(
        digits.count == hexadecimal.count && digits.count.isMultiple(of: 2),
        "no bytes: \(hexadecimal)"
    )
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// Secret bytes that are no secret.
func secret(_ bytes: [UInt8]) -> SecretBytes {
    var copy = bytes
    return SecretBytes(wiping: &copy)
}

func secret(_ text: String) -> SecretBytes { secret(Array(text.utf8)) }

/// A key made of a seed of 32 equal bytes.
func signingKey(_ byte: UInt8) -> SigningKey { SigningKey(seed: secret([UInt8](repeating: byte, count: 32))) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// An empty folder, gone at the end of the test.
final class Folder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "dht-crypto-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func path(_ name: String) -> String { path + "/" + name }

    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

    /// Writes a file of this mode and returns its path.
    @discardableResult
    func write(_ contents: String, to name: String, mode: Int = 0o600) throws -> String {
        try Data(contents.utf8).write(to: URL(filePath: path(name)))
        try setMode(mode, of: name)
        return path(name)
    }

    func contents(of name: String) throws -> String {
        text(Array(try Data(contentsOf: URL(filePath: path(name)))))
    }

    func setMode(_ mode: Int, of name: String) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path(name))
    }

    func mode(of name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path(name))
        return try (attributes[.posixPermissions] as? Int).unwrapped()
    }
}

extension Optional {
    struct Missing: Error {}

    func unwrapped() throws -> Wrapped {
        guard let self else { throw Missing() }
        return self
    }
}
