import Foundation
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
    struct Ending {
        let status: Int32
        let output: Data
        let errors: String

        var text: String { String(decoding: output, as: UTF8.self) }
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
        _ arguments: String..., in folder: Folder, input: Data = Data(), executable: String = path
    ) throws -> Ending {
        try run(arguments, in: folder, input: input, executable: executable)
    }

    static func run(
        _ arguments: [String], in folder: Folder, input: Data = Data(), executable: String = path
    ) throws -> Ending {
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = environment(folder)
        process.currentDirectoryURL = folder.url
        let (inputFile, outputFile, errorFile) = (folder.fresh(), folder.fresh(), folder.fresh())
        try input.write(to: inputFile)
        for file in [outputFile, errorFile] { try Data().write(to: file) }
        process.standardInput = try FileHandle(forReadingFrom: inputFile)
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try process.run()
        process.waitUntilExit()
        return Ending(
            status: process.terminationStatus, output: try Data(contentsOf: outputFile),
            errors: String(decoding: try Data(contentsOf: errorFile), as: UTF8.self))
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

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: url.appending(path: name))
    }

    func text(_ name: String) -> String { (try? String(contentsOfFile: file(name), encoding: .utf8)) ?? "" }

    /// A path nobody uses yet.
    func fresh() -> URL {
        count += 1
        return url.appending(path: ".stream-\(count)")
    }
}

/// Waits until something is so; what it waits for has no other sign.
func eventually(
    _ what: String, within seconds: Double = 30, _ condition: () throws -> Bool
) throws {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
        if try condition() { return }
        usleep(20_000)
    }
    throw NeverHappened(what: what)
}

struct NeverHappened: Error, CustomStringConvertible {
    let what: String
    var description: String { "never happened: \(what)" }
}
