import Foundation
import TestKit

/// A program on a pseudo-terminal.
final class Terminal {
    private let process = Process()
    private let master: Int32
    /// All it showed, as it came.
    private(set) var screen = ""
    private var seen = 0

    /// - Parameters:
    ///   - columns: Of the 24 rows.
    ///   - variables: Beside those of a clean environment.
    init(
        _ arguments: [String],
        in folder: Folder,
        executable: String = Program.path,
        columns: UInt16 = 200,
        showsErrors: Bool = false,
        variables: [String: String] = [:]
    ) throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var (isLocked, number): (Int32, UInt32) = (0, 0)
        // Linux's numbers for unlocking a pseudo-terminal and asking which one it is.
        guard master >= 0, ioctl(master, 0x4004_5431, &isLocked) == 0,
            ioctl(master, 0x8004_5430, &number) == 0
        else {
            throw NeverHappened("a pseudo-terminal")
        }
        let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
        let handle = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = Program.environment(folder).merging(["TERM": "xterm"]) { $1 }
            .merging(variables) { $1 }
        process.currentDirectoryURL = folder.url
        process.standardInput = handle
        process.standardOutput = handle
        process.standardError = showsErrors ? handle : FileHandle.nullDevice
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        close(master)
    }

    func type(_ text: String) { type(bytes: Array(text.utf8)) }

    /// Reads meanwhile: the terminal takes no more than the program does.
    func type(bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            var state = pollfd(fd: master, events: Int16(POLLIN | POLLOUT), revents: 0)
            guard poll(&state, 1, 10_000) > 0, state.revents & Int16(POLLOUT | POLLIN) != 0 else { return }
            if state.revents & Int16(POLLIN) != 0 { read() }
            guard state.revents & Int16(POLLOUT) != 0 else { continue }
            let count = rest.prefix(256).withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = Glibc.read(master, &buffer, buffer.count)
        if count > 0 { screen += String(decoding: buffer[..<count], as: UTF8.self) }
    }

    /// Types a line, and waits for its answer and for the next prompt.
    func enter(_ line: String, expecting answer: String) throws {
        type(line + "\r")
        try expect(answer)
        try expect("> ")
    }

    /// Reads on until the text appears after what was expected before.
    func expect(_ text: String) throws {
        try eventually("the terminal shows \(text); it shows: \(screen)") {
            var waiting = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
            if poll(&waiting, 1, 20) > 0, waiting.revents & Int16(POLLIN) != 0 { read() }
            let unseen = screen.dropFirst(seen)
            guard let found = unseen.range(of: text) else { return false }
            seen = screen.distance(from: screen.startIndex, to: found.upperBound)
            return true
        }
    }

    func wait() throws -> Int32 {
        try eventually("the program ends") { !process.isRunning }
        return process.terminationStatus
    }
}
