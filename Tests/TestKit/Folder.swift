import Foundation

/// A directory that goes when its owner does.
package final class Folder: Sendable {
    private static let streamPrefix = ".stream-"

    package let url: URL

    package init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "dht-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    package var path: String { url.path }

    /// The path of a file in it, which need not exist.
    package func file(_ name: String) -> String { url.appending(path: name).path }

    /// The names of what is in it, sorted, without ``stream()``s.
    package func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path)
            .filter { !$0.hasPrefix(Self.streamPrefix) }
            .sorted()
    }

    /// `nil`: there is no such file.
    package func bytes(_ name: String) -> [UInt8]? {
        FileManager.default.contents(atPath: file(name)).map { Array($0) }
    }

    /// Empty if there is no such file.
    package func text(_ name: String) -> String { String(decoding: bytes(name) ?? [], as: UTF8.self) }

    /// Returns the path of the file.
    @discardableResult
    package func write(_ bytes: [UInt8], to name: String, mode: Int = 0o600) throws -> String {
        try Data(bytes).write(to: url.appending(path: name))
        try setMode(mode, of: name)
        return file(name)
    }

    /// Returns the path of the file.
    @discardableResult
    package func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        try write(Array(text.utf8), to: name, mode: mode)
    }

    package func setMode(_ mode: Int, of name: String) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file(name))
    }

    /// `nil`: there is no such file.
    package func mode(_ name: String) -> Int? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file(name))
        return attributes?[.posixPermissions] as? Int
    }

    /// A file nobody uses yet, for what a program reads or says.
    package func stream() -> URL { url.appending(path: Self.streamPrefix + UUID().uuidString) }
}
