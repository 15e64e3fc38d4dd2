import Foundation
@_exported import TestKit
import Testing

/// The built program, found beside the tests.
enum Program {
    static let sources = URL(filePath: #filePath).deletingLastPathComponent()
    static let root = sources.deletingLastPathComponent().deletingLastPathComponent()

    static let path: String = {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") }
        let beside = bundle.map { URL(filePath: $0).deletingLastPathComponent().appending(path: "dht").path }
        let candidates: [String] = [beside ?? "", root.appending(path: ".build/debug/dht").path]
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            fatalError("there is no built dht; run: swift build --build-tests")
        }
        return found
    }()

    /// How a run ended.
    struct Exit {
        /// The exit code, or the number of the signal that ended it.
        let status: Int32
        let isKilled: Bool
        let output: Data
        let errors: String

        var text: String { String(decoding: output, as: UTF8.self) }
        /// The text without the end of its last line.
        var line: String { text.trimmingCharacters(in: .newlines) }
        /// The one line of an error, without the program's name.
        var complaint: String {
            let lines = errors.split(separator: "\n").filter { $0.hasPrefix("dht: ") }
            return lines.map { String($0.dropFirst(5)) }.joined(separator: "\n")
        }

        subscript(field: String) -> Any? {
            (try? JSONSerialization.jsonObject(with: output) as? [String: Any])?[field]
        }
    }

    /// Runs `dht` to its end.
    @discardableResult
    static func run(
        _ arguments: String...,
        in folder: Folder,
        input: Data = Data(),
        executable: String = path,
        variables: [String: String] = [:]
    ) throws -> Exit {
        try run(arguments, in: folder, input: input, executable: executable, variables: variables)
    }

    static func run(
        _ arguments: [String],
        in folder: Folder,
        input: Data = Data(),
        executable: String = path,
        variables: [String: String] = [:]
    ) throws -> Exit {
        try Execution(executable, arguments, in: folder, input: input, variables: variables).finish()
    }

    /// An environment in which nothing of the user's is found.
    static func environment(_ folder: Folder) -> [String: String] {
        [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
            "HOME": folder.url.path, "XDG_RUNTIME_DIR": folder.url.path, "LANG": "C.UTF-8",
            "SWIFT_BACKTRACE": "enable=no",
        ]
    }
}
