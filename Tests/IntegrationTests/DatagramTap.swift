import Foundation
import Synchronization

/// A socket of our own on the loopback interface: sends bytes as they are, and counts what comes back.
final class RawSocket {
    let descriptor: Int32
    let port: UInt16

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var address = loopback(port: 0)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0, bound == 0 else { throw NeverHappened("a socket of our own") }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        var buffer: Int32 = 4 << 20
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    func send(_ datagram: [UInt8], to port: UInt16) {
        var address = loopback(port: port)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, datagram, datagram.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// The next datagram and the port it came from; `nil` when none comes for that long.
    func receive(milliseconds: Int32) -> (datagram: [UInt8], port: UInt16)? {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, milliseconds) > 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(descriptor, &buffer, buffer.count, 0, $0, &length)
            }
        }
        return count < 0 ? nil : (Array(buffer[..<count]), UInt16(bigEndian: address.sin_port))
    }
}

private func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

/// A man in the middle: what is sent to `port` goes on to a node, its answers go back, and all of it is kept.
final class DatagramTap: Sendable {
    struct Captured: Sendable {
        let datagram: [UInt8]
        /// Towards the node behind the tap, or from it.
        let isInbound: Bool
    }

    let port: UInt16
    private let captured = Mutex<[Captured]>([])
    private let isOpen = Mutex(true)

    /// Stands before the node that listens on `node`.
    init(before node: UInt16) throws {
        let front = try RawSocket()
        port = front.port
        nonisolated(unsafe) let outer = front
        let thread = Thread { [self] in
            // One socket towards the node for each peer, as the node tells peers apart by their ports.
            var behind: [UInt16: RawSocket] = [:]
            while isOpen.withLock({ $0 }) {
                while let (datagram, peer) = outer.receive(milliseconds: 1) {
                    captured.withLock { $0.append(Captured(datagram: datagram, isInbound: true)) }
                    if behind[peer] == nil { behind[peer] = try? RawSocket() }
                    behind[peer]?.send(datagram, to: node)
                }
                for (peer, socket) in behind {
                    while let (datagram, source) = socket.receive(milliseconds: 0) {
                        // Others may have been told of this port; they are to go by the front.
                        guard source == node else { continue }
                        captured.withLock { $0.append(Captured(datagram: datagram, isInbound: false)) }
                        outer.send(datagram, to: peer)
                    }
                }
            }
        }
        thread.start()
    }

    deinit { isOpen.withLock { $0 = false } }

    func close() { isOpen.withLock { $0 = false } }

    var all: [Captured] { captured.withLock { $0 } }
}
