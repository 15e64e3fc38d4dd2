import Foundation
import Testing

@testable import DHTGateway

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
        let folder = try Folder()
        try ControlSocket.claim(folder.file("new/dht.sock"))
        #expect(folder.mode("new") == 0o700)
    }

    @Test func `a socket nobody listens on is removed`() throws {
        let folder = try Folder()
        let path = folder.file("dht.sock")
        close(try UnixSocket.listen(at: path))
        #expect(ControlSocket.occupant(of: path) == .staleSocket)
        try ControlSocket.claim(path)
        #expect(ControlSocket.occupant(of: path) == .nothing)
    }

    @Test func `a socket somebody listens on is left alone`() throws {
        let folder = try Folder()
        let path = folder.file("dht.sock")
        let descriptor = try UnixSocket.listen(at: path)
        defer { close(descriptor) }
        let failure = #expect(throws: Failure.self) { try ControlSocket.claim(path) }
        #expect(failure?.code == .configuration)
        #expect(failure?.message.hasPrefix("a node is already running on \(path)") == true)
        #expect(ControlSocket.occupant(of: path) == .node)
    }

    @Test func `a file that is no socket is left alone`() throws {
        let folder = try Folder()
        let path = folder.file("notes")
        try Data("mine".utf8).write(to: URL(filePath: path))
        #expect(throws: Failure.self) { try ControlSocket.claim(path) }
        #expect(ControlSocket.occupant(of: path) == .somethingElse)
    }

    @Test func `a path that is too long, or under a file, is an error that says so`() throws {
        let folder = try Folder()
        let long = "\(folder.path)/" + String(repeating: "x", count: 100)
        #expect(throws: Failure.self) { try ControlSocket.claim(long) }
        try folder.write("", to: "file")
        #expect(throws: Failure.self) { try ControlSocket.claim(folder.file("file/dht.sock")) }
    }
}
