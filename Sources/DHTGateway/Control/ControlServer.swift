import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import SecureDHT

/// The control API on a Unix socket that only its owner, or one group, can open.
package final class ControlServer: Sendable {
    /// The users who may open the socket.
    package enum Access: Hashable, Sendable {
        /// Mode 0600.
        case owner
        /// Mode 0660, the socket being this group's.
        case group(gid_t)
    }

    /// Where it listens.
    package let path: String
    private let server: Serving
    /// The socket file's device and inode, so that `stop` never removes somebody else's.
    private let file: SocketFile?

    private init(path: String, server: Serving) {
        (self.path, self.server, self.file) = (path, server, SocketFile(path))
    }

    /// Serves `node`, and the `metrics` of the process, at `path`,
    /// taking over a socket that a crashed node left there.
    package static func start(
        at path: String,
        access: Access = .owner,
        node: some NodeControl,
        limits: ControlLimits = ControlLimits(),
        metrics: (@Sendable () async -> String)? = nil,
        logger: Logger
    ) async throws(Failure) -> ControlServer {
        let turn = ControlSocket.Turn(at: path)
        defer { turn.end() }
        try ControlSocket.claim(path)
        // Under its own name from the first: there the system's cleaners look whether somebody listens. Until
        // it has its mode nobody else may open it, for the mask is whole.
        let mask = umask(0o077)
        defer { umask(mask) }
        let server = try await serve(node, at: ControlSocket.absolute(path), limits, metrics, logger)
        do { try ControlSocket.open(path, to: access) } catch {
            unsafe unlink(path)
            await server.stop()
            throw error
        }
        return ControlServer(path: path, server: server)
    }

    /// Returns when the socket at `path` takes connections.
    private static func serve(
        _ node: some NodeControl,
        at path: String,
        _ limits: ControlLimits,
        _ metrics: (@Sendable () async -> String)?,
        _ logger: Logger
    ) async throws(Failure) -> Serving {
        var quiet = logger
        quiet.logLevel = .critical  // it calls its own end by cancellation an error
        let server = HTTPServerBuilder.http1(
            configuration: .init(
                additionalChannelHandlers: [StallGuard(after: limits.stallTime)],
                idleTimeout: limits.idleTime
            )
        )
        return try await Serving.start("the control socket", logger: quiet) { onRunning in
            Application(
                router: ControlRoutes.router(for: node, limits: limits, metrics: metrics) { rival in
                    logger.warning(
                        "another process wanted this node's control socket; are there two with its key?",
                        metadata: ["process": "\(rival.map { "\($0)" } ?? "unknown")", "socket": "\(path)"]
                    )
                },
                server: server,
                configuration: ApplicationConfiguration(
                    address: .unixDomainSocket(path: path),
                    serverName: "dht",
                    availableConnectionsDelegate: MaximumAvailableConnections(
                        limits.connections,
                        logger: quiet
                    )
                ),
                onServerRunning: onRunning,
                logger: quiet
            )
        }
    }

    /// Removes the socket, so that nobody finds the node any more; connections last as long as the process.
    ///
    /// For a process that ends next: it waits for nobody.
    package func withdraw() {
        if let file, SocketFile(path) == file { unsafe unlink(path) }
    }

    /// Closes the socket and every connection to it, and removes it.
    package func stop() async {
        withdraw()
        await server.stop()
    }
}

/// Which file a path leads to.
private struct SocketFile: Equatable, Sendable {
    let device: dev_t
    let inode: ino_t

    init?(_ path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        (device, inode) = (status.st_dev, status.st_ino)
    }
}
