import DHTCore
import DHTEngine
import FoundationEssentials
import Glibc
import Logging
import NIOCore
import NIOPosix

// The sockets that the loop binds, reads and sends by, and the network of this machine.

extension NodeLoop {
    /// Binds a socket; its port is real when this returns. If its address is none of this machine yet, it is
    /// waited for.
    func listen(on configured: HostPort, _ address: SocketAddress) async throws -> Endpoint {
        let index = sockets.reserve()
        do {
            let socket = try await DatagramSocket.bind(address, loop: self, index: index)
            guard let local = socket.channel.localAddress, let bound = Endpoint(local) else {
                throw DHTError(.internal, "\(configured): the socket has no address")
            }
            sockets.add(configured, at: bound, socket)
            opened()
            return bound
        } catch {
            guard (error as? IOError)?.errnoCode == EADDRNOTAVAIL, let wanted = Endpoint(address),
                wanted.port != 0
            else {
                sockets.removeLast()
                throw error
            }
            sockets.add(configured, at: wanted, nil)
            logger.warning(
                "this address to listen on is none of this machine's now; it is waited for. See: ip address",
                metadata: ["address": "\(configured)"]
            )
            scheduleRebind(index)
            return wanted
        }
    }

    private func opened() {
        publishOpenSockets()
        users.endWaitForSocket()
    }

    /// Tells the engine where it can be reached, and by which families it reaches others.
    private func publishOpenSockets() {
        let open = sockets.openEndpoints
        engine.core.addresses.bound = open.filter { !$0.isUnspecified }
        engine.core.addresses.supposed = open.filter(\.isUnspecified).flatMap { network.endpoints(of: $0) }
        // With none open all are about to come back.
        if !open.isEmpty { engine.core.setFamilies(.init(open.map { .init($0.family) })) }
    }

    /// Whether a socket is open.
    var isListening: Bool { sockets.isOpen }

    /// Returns once a socket is open, or the node is stopped: `false`.
    func listens() async -> Bool {
        if !isStopping, !isListening {
            await withCheckedContinuation { users.waitForSocket($0) }
        }
        return !isStopping
    }

    func received(_ datagram: [UInt8], from endpoint: Endpoint, on socket: Int, at local: Endpoint?) {
        // A node that closes is gone: what its sockets still have is for nobody.
        guard !isStopping else { return }
        var turn = EngineTurn(at: SystemClock.now)
        sockets.heard(from: endpoint, at: turn.now.instant)
        switch engine.receive(datagram, from: endpoint, in: &turn) {
        case .dropped(let reason):
            lastRejections.record { number in
                RejectedDatagram(
                    number: number,
                    time: Date(unixMilliseconds: turn.now.unixMilliseconds),
                    reason: .init(rawValue: reason.name),
                    source: endpoint
                )
            }
            logger.debug("datagram dropped", metadata: ["reason": "\(reason)", "from": "\(endpoint)"])
        case .accepted: sockets.accepted(from: endpoint, on: socket, at: local)
        }
        perform(&turn)
    }

    func socketFailed(_ error: any Error) {
        logger.debug("socket error", metadata: ["error": "\(error)"])
    }

    /// A socket that closes without being told to is bound again, to the port it had.
    func closed(_ index: Int) {
        guard !isStopping, sockets.closed(index) else { return }
        publishOpenSockets()
        logger.warning(
            "socket closed; it is bound again",
            metadata: ["address": "\(sockets.endpoint(of: index))"]
        )
        scheduleRebind(index)
    }

    private func scheduleRebind(_ index: Int) {
        eventLoop.scheduleTask(in: sockets.nextRebind(of: index)) { self.assumeIsolated { $0.rebind(index) } }
    }

    private func rebind(_ index: Int) {
        guard !isStopping, let address = sockets.beginRebind(of: index) else { return }
        Task {
            do {
                let socket = try await DatagramSocket.bind(address, loop: self, index: index)
                guard !isStopping else {
                    try? await socket.channel.close().get()
                    return
                }
                sockets.opened(index, socket)
                opened()
                logger.notice("socket is open", metadata: ["address": "\(sockets.endpoint(of: index))"])
                networkChanged()
            } catch {
                sockets.rebindFailed(index)
                guard !isStopping else { return }
                scheduleRebind(index)
            }
        }
    }

    // MARK: Sending

    func transmit(_ datagram: [UInt8], to endpoint: Endpoint, at now: Instant) {
        guard let loss = sockets.send(datagram, to: endpoint, at: now, local: localAddress(towards:)) else {
            return
        }
        let metadata: Logger.Metadata = [
            "error": "\(SendRefusals.name(of: loss.error))", "to": "\(endpoint)",
        ]
        logger.log(level: loss.isFirst ? .warning : .debug, "datagram not sent", metadata: metadata)
    }

    // MARK: The network of this machine

    /// Hears of changes from now on. Where the system does not tell of them, time-outs and pauses have to do.
    func watchNetwork() async {
        network.start(addressesOfThisMachine())
        guard !isStopping else { return }
        publishOpenSockets()
        do {
            let channel = try await NetworkWatch.start(on: eventLoop) { [weak self] in
                self?.assumeIsolated { $0.networkChanged() }
            } closed: { [weak self] in
                self?.assumeIsolated { $0.watchAgain() }
            }
            if isStopping { try? await channel.close().get() } else { networkWatch = channel }
        } catch {
            logger.debug("changes of the network are not told", metadata: ["error": "\(error)"])
        }
    }

    private func watchAgain() {
        networkWatch = nil
        guard !isStopping else { return }
        eventLoop.scheduleTask(in: .seconds(1)) {
            self.assumeIsolated { loop in
                guard !loop.isStopping else { return }
                Task { await loop.watchNetwork() }
                loop.networkChanged()
            }
        }
    }

    /// The network of this machine changed. It is looked at after a pause, when the whole change has come.
    func networkChanged() {
        guard !isStopping, let pause = network.changed(at: .now()) else { return }
        eventLoop.scheduleTask(in: pause) { self.assumeIsolated { $0.reviewNetwork() } }
    }

    private func reviewNetwork() {
        let change = network.review(addressesOfThisMachine(), at: .now())
        guard !isStopping else { return }
        for index in sockets.closed { rebind(index) }
        publishOpenSockets()
        askAnew()
        for pause in NetworkState.secondThoughts {
            eventLoop.scheduleTask(in: pause) {
                self.assumeIsolated { loop in
                    if !loop.isStopping, loop.network.isLatest(change) { loop.askAnew() }
                }
            }
        }
    }

    private func askAnew() {
        var turn = EngineTurn(at: SystemClock.now)
        sockets.networkChanged(addresses: network.addresses, at: turn.now.instant)
        engine.networkChanged(hasMoved: network.hasMoved(at: .now()), in: &turn)
        perform(&turn)
    }
}
