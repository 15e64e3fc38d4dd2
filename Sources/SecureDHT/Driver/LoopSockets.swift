import DHTCore
import DHTEngine
import DHTEnvelope
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

    /// Looks at what was read.
    func receive() {
        let read = desk.take()
        // A node that closes is gone: what its sockets still have is for nobody.
        guard !isStopping, !read.isEmpty else { return }
        var turn = EngineTurn(at: SystemClock.now)
        for datagram in read { sockets.heard(from: datagram.arrival.endpoint, at: turn.now.instant) }
        let dispositions = engine.receive(read.map(\.arrival), by: desk.crew.perform, in: &turn)
        for (datagram, disposition) in zip(read, dispositions) {
            switch disposition {
            case .dropped(.header) where showsInvitation(datagram.arrival, at: turn.now):
                engine.disregardDrop(from: datagram.arrival.endpoint)
                heard(datagram)
            case .dropped(let reason):
                desk.reject(datagram, reason, at: turn.now)
                let source = datagram.arrival.endpoint
                logger.debug("datagram dropped", metadata: ["reason": "\(reason)", "from": "\(source)"])
            case .accepted: heard(datagram)
            }
        }
        perform(&turn)
    }

    /// Its sender is answered by the socket, and from the address, that it came to.
    private func heard(_ datagram: ReadDatagram) {
        sockets.accepted(from: datagram.arrival.endpoint, on: datagram.socket, at: datagram.local)
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

    /// Sends what is to go out, in this order.
    func transmit(_ outgoing: [(datagram: Outgoing, endpoint: Endpoint)], at now: Instant) {
        guard !outgoing.isEmpty else { return }
        let finished = engine.gate.finish(outgoing.map(\.datagram), by: desk.crew.perform)
        for (datagram, destination) in zip(finished, outgoing) {
            if let datagram { transmit(datagram, to: destination.endpoint, at: now) }
        }
    }

    private func transmit(_ datagram: [UInt8], to endpoint: Endpoint, at now: Instant) {
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
            if isStopping { try? await channel.close().get() } else { network.watch = channel }
        } catch {
            logger.debug("changes of the network are not told", metadata: ["error": "\(error)"])
        }
    }

    private func watchAgain() {
        network.watch = nil
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
