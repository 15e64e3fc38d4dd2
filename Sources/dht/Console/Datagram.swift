import Glibc

/// A datagram to a socket of this machine, from nobody.
enum Datagram {
    /// `path`: with `@` before it a name that is in no file system. Nobody waits for whoever does not listen:
    /// `false` if the datagram was not taken.
    static func send(_ bytes: [UInt8], to path: String) -> Bool {
        let isAbstract = path.hasPrefix("@")
        let name = Array(path.utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        // Of an abstract name the first byte is 0; of a path the last one is.
        if isAbstract { address.sun_path.0 = 0 }
        let header = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
        let length = socklen_t(header + name.count + (isAbstract ? 0 : 1))
        let socket = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe sendto(socket, bytes, bytes.count, flags, $0, length) == bytes.count
            }
        }
    }
}
