import DHTCore
import Glibc
import NIOCore
import Testing

@testable import SecureDHT

/// A socket on the loopback interface that is no node.
final class Peer {
    private let descriptor: Int32
    let endpoint: Endpoint

    init() throws {
        let number = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        try #require(number >= 0)
        descriptor = number
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 0)
        let result = unsafe address.withSockAddr { unsafe bind(number, $0, socklen_t($1)) }
        try #require(result == 0)
        var bound = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let named = unsafe withUnsafeMutablePointer(to: &bound) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(number, $0, &size)
            }
        }
        try #require(named == 0)
        endpoint = Endpoint(ipv4: 0x7F00_0001, port: UInt16(bigEndian: bound.sin_port))
        // Long enough for any machine; only a failure waits for it.
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        try #require(unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &patience, length) == 0)
    }

    deinit { close(descriptor) }

    func send(_ datagram: [UInt8], to endpoint: Endpoint) {
        _ = unsafe endpoint.socketAddress?.withSockAddr {
            unsafe sendto(descriptor, datagram, datagram.count, 0, $0, socklen_t($1))
        }
    }

    func receive() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 2048)
        let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? nil : Array(buffer[..<count])
    }
}
