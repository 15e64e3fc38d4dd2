import Glibc

/// The address of a socket of this machine: unix(7).
package struct UnixAddress {
    /// In bytes.
    package static let longestPath = 107

    private var address = sockaddr_un()
    private let length: socklen_t

    /// `path`: with `@` before it a name that is in no file system. `nil`: it is too long.
    package init?(_ path: String) {
        let (bytes, isAbstract) = (Array(path.utf8), path.hasPrefix("@"))
        guard bytes.count <= Self.longestPath else { return nil }
        let header = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
        // Nothing ends an abstract name but its length.
        length = isAbstract ? socklen_t(header + bytes.count) : socklen_t(MemoryLayout<sockaddr_un>.size)
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        if isAbstract { address.sun_path.0 = 0 }
    }

    package func withSockaddr<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
        }
    }
}
