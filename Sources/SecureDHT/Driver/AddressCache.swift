import DHTCore
import NIOCore

/// Socket addresses of endpoints, so that each is made once.
struct AddressCache {
    static let capacity = 8192

    private var known: [Endpoint: SocketAddress] = [:]

    mutating func socketAddress(of endpoint: Endpoint) -> SocketAddress? {
        if let address = known[endpoint] { return address }
        guard let address = endpoint.socketAddress else { return nil }
        if known.count >= Self.capacity { known = [:] }
        known[endpoint] = address
        return address
    }
}
