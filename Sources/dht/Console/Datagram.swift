import DHTGateway
import Glibc

/// A datagram to a socket of this machine, from nobody.
enum Datagram {
    /// Nobody waits for a listener that is slow, or gone: `false` if the datagram was not taken.
    static func send(_ bytes: [UInt8], to path: String) -> Bool {
        guard let address = UnixAddress(path) else { return false }
        let socket = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        return unsafe address.withSockaddr {
            unsafe sendto(socket, bytes, bytes.count, flags, $0, $1) == bytes.count
        }
    }
}
