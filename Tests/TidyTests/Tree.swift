import Foundation
import Testing

/// The working tree these tests read: every file that is, or would be, in git.
enum Tree {
    /// The root of the repository, links resolved.
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All files, as paths below the root, sorted.
    static let paths: [String] = (gitPaths() ?? walkedPaths()).sorted().filter { exists($0) }

    /// All Swift files.
    static let sources: [SourceFile] = paths.filter { $0.hasSuffix(".swift") }.compactMap {
        SourceFile(path: $0)
    }

    /// The Swift files of one target under `Sources/`.
    static func sources(of target: String) -> [SourceFile] {
        sources.filter { $0.path.hasPrefix("Sources/\(target)/") }
    }

    /// The names of the folders directly below `path`, sorted.
    static func folders(in path: String) -> [String] {
        let names = paths.filter { $0.hasPrefix(path + "/") }
            .map { $0.dropFirst(path.count + 1).split(separator: "/", omittingEmptySubsequences: false) }
            .filter { $0.count > 1 }
            .map { String($0[0]) }
        return Set(names).sorted()
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }

    /// The file's text; `nil` if it is missing or not UTF-8.
    static func text(_ path: String) -> String? {
        (try? Data(contentsOf: root.appending(path: path))).flatMap { String(data: $0, encoding: .utf8) }
    }

    /// What git knows or would add: an ignored key file next to the sources is nobody's business.
    private static func gitPaths() -> [String]? {
        let git = Process()
        git.executableURL = URL(filePath: "/usr/bin/env")
        git.arguments = [
            "git", "-C", root.path, "ls-files", "-z", "--cached", "--others", "--exclude-standard",
        ]
        let output = Pipe()
        git.standardOutput = output
        git.standardError = FileHandle.nullDevice
        guard (try? git.run()) != nil, let listing = try? output.fileHandleForReading.readToEnd() else {
            return nil
        }
        git.waitUntilExit()
        guard git.terminationStatus == 0 else { return nil }
        return listing.split(separator: 0).compactMap { String(bytes: $0, encoding: .utf8) }
    }

    /// Without git, as in an unpacked archive: all but what `.gitignore` names.
    private static func walkedPaths() -> [String] {
        let all = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        let ignored = #/(^|\/)(\.git|\.build[^\/]*|__pycache__)(\/|$)|\.key$|\.network$|^Package\.resolved$/#
        return all.filter { !$0.contains(ignored) }
    }
}

/// Something a test found, and what to do about it.
struct Finding: Sendable {
    let text: String

    init(_ path: String, line: Int? = nil, _ advice: String) {
        text = "\(path)\(line.map { ":\($0)" } ?? ""): \(advice)"
    }
}

/// Fails with the list of all findings, if there are any.
func expectNone(_ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation) {
    guard !findings.isEmpty else { return }
    let list = findings.map(\.text).joined(separator: "\n")
    Issue.record("\(list)", sourceLocation: sourceLocation)
}
