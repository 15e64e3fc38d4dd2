import Foundation
import Testing

@testable import DHTGateway

/// A directory of a test's own, short enough for a socket's path.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/dht-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    static func mode(of path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    /// A socket at `path`; with nobody behind it once its descriptor is closed.
    static func listen(at path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && Glibc.listen(descriptor, 4) == 0)
        return descriptor
    }

    static func connect(to path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(connected == 0)
        return descriptor
    }

    /// Sends a question, says that no more will come, and reads to the end.
    static func ask(_ path: String, _ question: String) throws -> String {
        let descriptor = try connect(to: path)
        defer { close(descriptor) }
        let bytes = Array(question.utf8)
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
        shutdown(descriptor, Int32(SHUT_WR))
        var (answer, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: answer, as: UTF8.self) }
            answer += buffer[..<count]
        }
    }
}

struct ControlSocketTests {
    @Test func `the flag comes before the variable, and both before the usual places`() {
        let environment = ["DHT_SOCKET": "/a/b", "XDG_RUNTIME_DIR": "/run/user/7"]
        #expect(ControlSocket.candidates(flag: "/c", environment: environment).map(\.path) == ["/c"])
        #expect(ControlSocket.candidates(flag: nil, environment: environment).map(\.path) == ["/a/b"])
        #expect(
            ControlSocket.candidates(flag: nil, environment: ["XDG_RUNTIME_DIR": "/run/user/7"]).map(\.path)
                == ["/run/user/7/dht/dht.sock", "/run/dht/dht.sock"]
        )
        #expect(
            ControlSocket.candidates(flag: nil, environment: ["DHT_SOCKET": "", "XDG_RUNTIME_DIR": "here"])
                == [
                    .init(path: nil, label: "$XDG_RUNTIME_DIR/dht/dht.sock"),
                    .init(path: "/run/dht/dht.sock", label: "/run/dht/dht.sock"),
                ]
        )
    }

    @Test func `a missing directory is made, for its owner only`() throws {
        let scratch = try Scratch()
        try ControlSocket.claim("\(scratch.path)/new/dht.sock")
        #expect(Scratch.mode(of: "\(scratch.path)/new") == 0o700)
    }

    @Test func `a socket nobody listens on is removed`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/dht.sock"
        close(try Scratch.listen(at: path))
        #expect(ControlSocket.occupant(of: path) == .staleSocket)
        try ControlSocket.claim(path)
        #expect(ControlSocket.occupant(of: path) == .nothing)
    }

    @Test func `a socket somebody listens on is left alone`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/dht.sock"
        let descriptor = try Scratch.listen(at: path)
        defer { close(descriptor) }
        let failure = #expect(throws: Failure.self) { try ControlSocket.claim(path) }
        #expect(failure?.code == .configuration)
        #expect(failure?.message.hasPrefix("a node is already running on \(path)") == true)
        #expect(ControlSocket.occupant(of: path) == .node)
    }

    @Test func `a file that is no socket is left alone`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/notes"
        try Data("mine".utf8).write(to: URL(filePath: path))
        #expect(throws: Failure.self) { try ControlSocket.claim(path) }
        #expect(ControlSocket.occupant(of: path) == .somethingElse)
    }

    @Test func `a path that is too long, or under a file, is an error that says so`() throws {
        let scratch = try Scratch()
        let long = "\(scratch.path)/" + String(repeating: "x", count: 100)
        #expect(throws: Failure.self) { try ControlSocket.claim(long) }
        try Data().write(to: URL(filePath: "\(scratch.path)/file"))
        #expect(throws: Failure.self) { try ControlSocket.claim("\(scratch.path)/file/dht.sock") }
    }
}
