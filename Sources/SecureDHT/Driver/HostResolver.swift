import DHTCore
import Glibc
import NIOPosix
import Synchronization

/// Asks the system's resolver, which blocks and may say nothing for half a minute, on threads that do nothing
/// else: no disk, no datagram and no end of the process waits for it.
final class HostResolver: Sendable {
    static let shared = HostResolver()

    /// Names that are asked for at once; others wait.
    static let threads = 4
    /// Names that may wait. Further ones do not resolve for now, and are asked for again later.
    static let capacity = 1024

    private let pool: NIOThreadPool
    private let waiting = Mutex(0)
    private let lookUp: @Sendable (HostPort) -> [Endpoint]

    init(lookUp: @escaping @Sendable (HostPort) -> [Endpoint] = HostResolver.askSystem) {
        self.lookUp = lookUp
        pool = NIOThreadPool(numberOfThreads: Self.threads)
        pool.start()
    }

    deinit { pool.shutdownGracefully { _ in } }

    /// All addresses the host has now, in the resolver's order; none if it has none.
    func addresses(of host: HostPort) async -> [Endpoint] {
        let isAdmitted = waiting.withLock { waiting in
            guard waiting < Self.capacity else { return false }
            waiting += 1
            return true
        }
        guard isAdmitted else { return [] }
        defer { waiting.withLock { $0 -= 1 } }
        return (try? await pool.runIfActive { [lookUp] in lookUp(host) }) ?? []
    }

    /// Blocks.
    private static let askSystem: @Sendable (HostPort) -> [Endpoint] = { host in
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host.host, nil, &hints, &first) == 0 else { return [] }
        defer { unsafe freeaddrinfo(first) }
        var endpoints: [Endpoint] = []
        var next = unsafe first
        while let info = unsafe next {
            unsafe next = info.pointee.ai_next
            guard let bytes = unsafe addressBytes(of: info.pointee),
                let endpoint = Endpoint(addressBytes: bytes, port: host.port), !endpoints.contains(endpoint)
            else { continue }
            endpoints.append(endpoint)
        }
        return endpoints
    }

    /// The address without the port; `nil` if it is none of the internet.
    private static func addressBytes(of info: addrinfo) -> [UInt8]? {
        guard let address = unsafe UnsafeRawPointer(info.ai_addr) else { return nil }
        switch unsafe info.ai_family {
        case AF_INET:
            let four = unsafe address.loadUnaligned(as: sockaddr_in.self)
            return unsafe withUnsafeBytes(of: four.sin_addr) { unsafe Array($0) }
        case AF_INET6:
            let six = unsafe address.loadUnaligned(as: sockaddr_in6.self)
            return unsafe withUnsafeBytes(of: six.sin6_addr) { unsafe Array($0) }
        default: return nil
        }
    }
}

extension HostPort {
    /// The addresses of the host, asked of the system's resolver if it is a name.
    func resolve() async -> [Endpoint] {
        if let numeric { return [numeric] }
        return await HostResolver.shared.addresses(of: self)
    }

    /// Whether no resolver will ever know the host: it is no name (RFC 1123), or one of those that are
    /// reserved for having no address (RFC 6761).
    var isNobody: Bool {
        guard numeric == nil else { return false }
        let name = host.hasSuffix(".") ? host.dropLast() : host[...]
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        return name.utf8.count > 253 || labels.contains { !(1...63).contains($0.utf8.count) }
            || labels.last?.lowercased() == "invalid"
    }
}

extension NodeConfiguration {
    /// A peer whose name resolves later is asked then. That none of them can ever be is a mistake, unless the
    /// list says where somebody is.
    func checkPeers() throws(DHTError) {
        guard let first = peers.first, peers.allSatisfy(\.address.isNobody) else { return }
        if case .members(let list) = admission, list.members.contains(where: { !$0.addresses.isEmpty }) {
            return
        }
        throw DHTError(
            .unreachable,
            "\(first.address.host): this name of a peer does not resolve, nor ever will. "
                + "Check it, or give an address"
        )
    }
}
