import Foundation

/// A directory that goes when its owner does.
final class Folder {
    let url: URL
    private var count = 0

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "dht-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String) -> String { url.appending(path: name).path }

    func write(_ text: String, to name: String, mode: Int = 0o644) throws {
        try Data(text.utf8).write(to: url.appending(path: name))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file(name))
    }

    func text(_ name: String) -> String { (try? String(contentsOfFile: file(name), encoding: .utf8)) ?? "" }

    func mode(_ name: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: file(name))[.posixPermissions] as? Int
    }

    /// Names of what is in it, without the streams of programs run here.
    func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: url.path).filter { !$0.hasPrefix(".stream-") }
            .sorted()
    }

    /// A path nobody uses yet.
    func fresh() -> URL {
        count += 1
        return url.appending(path: ".stream-\(count)")
    }

    /// Processes that run in the directory, or were told of it.
    func occupants() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
            guard let id = Int32(name), id != getpid() else { return false }
            let place = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/cwd")) ?? ""
            let command = FileManager.default.contents(atPath: "/proc/\(id)/cmdline") ?? Data()
            return place.hasPrefix(url.path) || String(decoding: command, as: UTF8.self).contains(url.path)
        }
    }
}
