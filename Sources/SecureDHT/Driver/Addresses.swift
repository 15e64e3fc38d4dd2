import DHTCore
import NIOCore
import NIOPosix

extension Endpoint {
    /// The IP address and port of a socket address; `nil` for a Unix socket.
    init?(_ address: SocketAddress) {
        let port = UInt16(clamping: address.port ?? 0)
        switch address {
        case .v4(let v4):
            self.init(ipv4: UInt32(bigEndian: v4.address.sin_addr.s_addr), port: port)
        case .v6(let v6):
            let (high, low) = unsafe withUnsafeBytes(of: v6.address.sin6_addr) { bytes in
                unsafe (
                    bytes.loadUnaligned(as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                )
            }
            self.init(ipv6: UInt64(bigEndian: high), UInt64(bigEndian: low), port: port)
        case .unixDomainSocket: return nil
        }
    }

    /// The same address with port 0.
    var withoutPort: Endpoint { Endpoint(addressBytes: addressBytes, port: 0) ?? self }

    var socketAddress: SocketAddress? {
        try? SocketAddress(packedIPAddress: ByteBuffer(bytes: addressBytes), port: Int(port))
    }
}

extension HostPort {
    /// The endpoint, if the host is an address and no name.
    package var numeric: Endpoint? {
        (try? SocketAddress(ipAddress: host, port: Int(port))).flatMap { Endpoint($0) }
    }
}

/// The addresses of this machine that others may know it by, without ports.
func addressesOfThisMachine() -> Set<Endpoint> {
    let all = ((try? System.enumerateDevices()) ?? []).compactMap { device in
        device.address.flatMap { Endpoint($0) }
    }
    return Set(
        all.compactMap { Endpoint(addressBytes: $0.addressBytes, port: 1) }
            .filter { $0.isUnicast && !$0.isLoopback }.map(\.withoutPort)
    )
}

/// An address of this machine for those who are to reach a socket that listens everywhere.
func addressOfThisMachine(family: Endpoint.Family, port: UInt16) -> Endpoint? {
    let all = ((try? System.enumerateDevices()) ?? []).compactMap { device in
        device.address.flatMap { Endpoint($0) }
    }
    let usable = all.compactMap { Endpoint(addressBytes: $0.addressBytes, port: port) }
        .filter { $0.family == family && $0.isUnicast }
    return usable.first { !$0.isLoopback } ?? usable.first
}
