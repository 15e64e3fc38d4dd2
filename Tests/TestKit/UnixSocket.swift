import Glibc

/// A stream socket in the file system, as descriptors that the caller closes.
package enum UnixSocket {
    /// A socket at `path`; with nobody behind it once its descriptor is closed.
    package static func listen(at path: String) throws -> Int32 {
        let descriptor = try open(path, "a socket at \(path)") { bind($0, $1, $2) }
        guard Glibc.listen(descriptor, 4) == 0 else { throw NeverHappened("a listener at \(path)") }
        return descriptor
    }

    package static func connect(to path: String) throws -> Int32 {
        try open(path, "a connection to \(path)") { Glibc.connect($0, $1, $2) }
    }

    private static func open(
        _ path: String,
        _ what: String,
        _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw NeverHappened(what) }
        return descriptor
    }
}
