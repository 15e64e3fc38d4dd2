import Foundation

extension Folder {
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
