import DHTCore
import Glibc

/// Sockets on the loopback interface, and the places that play a part in virtual time.
final class Wire: Sendable {
    static let nowhere = Endpoint(ipv4: 0x0A00_0001, port: 4100)
    static let member = Endpoint(ipv4: 0x0A00_0002, port: 4100)
    static func anywhere(_ number: Int) -> Endpoint { Endpoint(ipv4: 0x0A01_0000 + UInt32(number), port: 9) }

    private let descriptor: Int32

    init(to port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        precondition(descriptor >= 0, "there is no socket left")
        var destination = sockaddr_in()
        destination.sin_family = sa_family_t(AF_INET)
        destination.sin_port = port.bigEndian
        destination.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &destination) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        precondition(connected == 0, "loopback can be sent to")
    }

    deinit { close(descriptor) }

    func send(_ datagram: [UInt8]) { _ = Glibc.send(descriptor, datagram, datagram.count, 0) }

    /// The next datagram; `nil` if none comes for so long.
    func receive(milliseconds: Int32) -> [UInt8]? {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, milliseconds) > 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 2048)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? nil : Array(buffer[..<count])
    }

    /// Sends so many, spread evenly, until `isDone`, or `count` are sent.
    static func flood(
        _ wires: [Wire],
        _ datagrams: [[UInt8]],
        rate: Int,
        count: Int,
        until isDone: () -> Bool = { false }
    ) {
        var next = timespec()
        clock_gettime(CLOCK_MONOTONIC, &next)
        var sent = 0
        while sent < count, !isDone() {
            for _ in 0..<rate / 1000 {
                wires[sent % wires.count].send(datagrams[sent % datagrams.count])
                sent += 1
            }
            next.tv_nsec += 1_000_000
            if next.tv_nsec >= 1_000_000_000 {
                (next.tv_sec, next.tv_nsec) = (next.tv_sec + 1, next.tv_nsec - 1_000_000_000)
            }
            clock_nanosleep(CLOCK_MONOTONIC, Int32(TIMER_ABSTIME), &next, nil)
        }
    }
}
