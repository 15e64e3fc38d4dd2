import Foundation

/// A run of a program; it may still be under way.
final class Execution {
    /// A run that takes longer than this many seconds is ended.
    static let patience = 120.0

    private let process = Process()
    private let output: URL
    private let errors: URL

    /// - Parameter variables: Beside those of a clean environment.
    init(
        _ executable: String,
        _ arguments: [String],
        in folder: Folder,
        input: Data = Data(),
        variables: [String: String] = [:]
    ) throws {
        let inputFile = folder.stream()
        (output, errors) = (folder.stream(), folder.stream())
        try input.write(to: inputFile)
        for file in [output, errors] { try Data().write(to: file) }
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = Program.environment(folder).merging(variables) { $1 }
        process.currentDirectoryURL = folder.url
        process.standardInput = try FileHandle(forReadingFrom: inputFile)
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
    }

    deinit { kill() }

    var isRunning: Bool { process.isRunning }
    var processID: Int32 { process.processIdentifier }
    /// What it said so far.
    var text: String { (try? String(contentsOf: output, encoding: .utf8)) ?? "" }
    var log: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

    func signal(_ number: Int32) {
        if process.isRunning { Foundation.kill(process.processIdentifier, number) }
    }

    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Waits for its end.
    func finish() throws -> Program.Exit {
        let id = process.processIdentifier
        let alarm = DispatchWorkItem { Foundation.kill(id, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience, execute: alarm)
        process.waitUntilExit()
        alarm.cancel()
        return Program.Exit(
            status: process.terminationStatus,
            isKilled: process.terminationReason == .uncaughtSignal,
            output: try Data(contentsOf: output),
            errors: log
        )
    }
}
