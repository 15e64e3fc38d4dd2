import DHTCore
import Glibc
import NIOCore

// Where a node listens.

extension DHTNode {
    /// Whether it listens anywhere: not while all its addresses are still to come.
    public var isListening: Bool { get async { await loop.isListening } }

    /// Returns once the node listens: at once, unless all its addresses are still to come. `false`: it was
    /// stopped before.
    public func listens() async -> Bool { await loop.listens() }

    /// `*` stands for both families.
    static func bind(_ address: HostPort, _ loop: NodeLoop) async throws(DHTError) -> [Endpoint] {
        guard address.host == HostPort.everywhere else { return [try await bindOne(address, loop)] }
        let four = try await bindOne(HostPort(host: "0.0.0.0", port: address.port), loop)
        guard systemHasIPv6() else {
            loop.logger.notice("this machine has no IPv6: IPv4 alone is served")
            return [four]
        }
        return [four, try await bindOne(HostPort(host: "::", port: four.port), loop)]
    }

    private static func bindOne(_ address: HostPort, _ loop: NodeLoop) async throws(DHTError) -> Endpoint {
        try address.checkIsNotLinkLocal()
        guard let endpoint = await address.resolve().first, let socketAddress = endpoint.socketAddress else {
            throw DHTError(.configuration, "\(address): this address to listen on does not resolve")
        }
        do {
            return try await loop.listen(on: address, socketAddress)
        } catch {
            switch (error as? IOError)?.errnoCode {
            case EADDRINUSE:
                throw DHTError(
                    .configuration,
                    "\(address) is in use by another program",
                    remedy: .listening
                )
            case EADDRNOTAVAIL:
                throw DHTError(
                    .configuration,
                    "\(address) is no address of this machine; with a port that is not 0 it would be waited "
                        + "for. See: ip address"
                )
            case EACCES:
                throw DHTError(.denied, "\(address): this port needs privileges. Take one above 1023")
            default: throw DHTError(.configuration, "\(address) cannot be listened on: \(error)")
            }
        }
    }
}
