import DHTCrypto
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import SecureDHT

/// The HTTP port of a node.
package struct WebServer: Sendable {
    /// Where it listens, as `http://HOST:PORT`.
    package let url: String

    /// Serves `node` at an address until the process ends.
    ///
    /// - Parameters:
    ///   - address: Port 0 takes a free one, and ``HostPort/everywhere`` stands for all of the machine's.
    ///   - names: By which it may be asked, besides the address.
    ///   - token: For values; `nil`: none are served.
    package static func start(
        at address: HostPort,
        names: [String] = [],
        token: AccessToken?,
        pages: WebPages = WebPages(),
        node: some NodeControl,
        limits: WebLimits = WebLimits(),
        logger: Logger
    ) async throws(Failure) -> WebServer {
        var quiet = logger
        quiet.logLevel = .critical  // it calls its own end by cancellation an error
        let host = address.host == HostPort.everywhere ? "::" : address.host
        let bound = try resolved(host)
        let responder = WebResponder(
            node: node,
            hosts: WebHosts(bound: bound, names: names + [host]),
            token: token,
            pages: pages,
            values: WebValues(node, limits.values),
            streams: WebStreams(limits),
            limits: limits
        )
        let room = ConnectionRoom(limits.connections)
        let serving = try await Serving.start("the HTTP port \(address)", logger: quiet) { onRunning in
            Application(
                responder: responder,
                server: .http1(
                    configuration: .init(
                        additionalChannelHandlers: [
                            StallGuard(after: limits.values.stallTime), ConnectionGuard(limits, room),
                        ],
                        httpDecoderConfiguration: .init(
                            maxHeaderFieldSize: limits.headLength,
                            maxHeaderListSize: limits.headLength,
                            maxHeaderFieldCount: limits.headCount
                        )
                    )
                ),
                configuration: ApplicationConfiguration(
                    address: .hostname(bound, port: Int(address.port)),
                    serverName: "dht"
                ),
                onServerRunning: onRunning,
                logger: quiet
            )
        }
        let port = serving.address?.port ?? Int(address.port)
        return WebServer(url: "http://\(HostPort(host: bound, port: UInt16(clamping: port)))")
    }

    /// The address that a host names.
    private static func resolved(_ host: String) throws(Failure) -> String {
        do {
            let address = try SocketAddress.makeAddressResolvingHost(host, port: 0)
            return address.ipAddress ?? host
        } catch {
            throw Failure(.configuration, "--http: \(host) is no address of this machine: \(error)")
        }
    }
}
