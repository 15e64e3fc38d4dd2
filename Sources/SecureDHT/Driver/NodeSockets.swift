import DHTCore
import DHTEngine
import Glibc
import Logging
import NIOCore
import NIOPosix

// The loop's sockets, and the network of this machine as far as it concerns them.

extension NodeLoop {
    /// Between two attempts to bind a socket, at most.
    private static let longestBindPause = TimeAmount.seconds(2)
    /// Changes come in crowds: all within this time are one.
    private static let changePause = TimeAmount.milliseconds(200)
    private static let longestChangePause = TimeAmount.seconds(1)
    /// What a change brings may take a moment to work, so peers are asked again after it.
    private static let secondThoughts = [TimeAmount.seconds(1), .milliseconds(2500), .seconds(6)]
    /// A move is told again for as long, whatever else changes meanwhile.
    private static let moveMemory = TimeAmount.seconds(8)

    /// Binds a socket; its port is real when this returns. If its address is none of this machine yet, it is
    /// waited for.
    func listen(on configured: HostPort, _ address: SocketAddress) async throws -> Endpoint {
        let index = sockets.count
        set.add()
        do {
            let socket = try await DatagramSocket.bind(address, loop: self, index: index)
            guard let local = socket.channel.localAddress, let bound = Endpoint(local) else {
                throw DHTError(.internal, "\(configured): the socket has no address")
            }
            sockets.append(Socket(configured: configured, bound: bound, socket: socket))
            opened(index)
            return bound
        } catch {
            guard (error as? IOError)?.errnoCode == EADDRNOTAVAIL, let wanted = Endpoint(address),
                wanted.port != 0
            else {
                set.removeLast()
                throw error
            }
            sockets.append(Socket(configured: configured, bound: wanted, socket: nil))
            logger.warning(
                "this address to listen on is none of this machine's now; it is waited for. See: ip address",
                metadata: ["address": "\(configured)"]
            )
            scheduleRebind(index)
            return wanted
        }
    }

    private func opened(_ index: Int) {
        sockets[index].rebindAttempts = 0
        set.opened(index, at: sockets[index].bound)
        noteOpenSockets()
        endOfWaiting()
    }

    /// Tells the engine where it can be reached, and by which families it reaches others.
    private func noteOpenSockets() {
        let open = sockets.filter { $0.socket != nil }.map(\.bound)
        engine.core.addresses.bound = open.filter { !$0.isUnspecified }
        engine.core.addresses.supposed = open.filter(\.isUnspecified).flatMap { bound in
            ownAddresses.filter { $0.family == bound.family }.sorted { $0.host < $1.host }
                .compactMap { Endpoint(addressBytes: $0.addressBytes, port: bound.port) }
        }
        // With none open all are about to come back.
        if !open.isEmpty { engine.core.setFamilies(.init(open.map { .init($0.family) })) }
    }

    /// Whether a socket is open.
    var isListening: Bool { sockets.contains { $0.socket != nil } }

    /// Returns once a socket is open, or the node is stopped: `false`.
    func listens() async -> Bool {
        if !isStopping, !isListening {
            await withCheckedContinuation { listeners.append($0) }
        }
        return !isStopping
    }

    /// Lets those go who wait for a socket.
    func endOfWaiting() {
        for listener in listeners { listener.resume() }
        listeners = []
    }

    func received(_ datagram: [UInt8], from endpoint: Endpoint, on socket: Int, at local: Endpoint?) {
        let now = SystemClock.now
        set.heard(from: endpoint, at: now.instant)
        var actions: [EngineAction] = []
        switch engine.receive(datagram, from: endpoint, at: now, into: &actions) {
        case .dropped(let reason):
            logger.debug("datagram dropped", metadata: ["reason": "\(reason)", "from": "\(endpoint)"])
        case .accepted: set.accepted(from: endpoint, on: socket, at: local)
        }
        perform(actions)
    }

    func socketFailed(_ error: any Error) {
        logger.debug("socket error", metadata: ["error": "\(error)"])
    }

    /// A socket that closes without being told to is bound again, to the port it had.
    func closed(_ index: Int) {
        guard !isStopping, sockets.indices.contains(index), sockets[index].socket != nil else { return }
        sockets[index].socket = nil
        set.closed(index)
        noteOpenSockets()
        logger.warning("socket closed; it is bound again", metadata: ["address": "\(sockets[index].bound)"])
        scheduleRebind(index)
    }

    private func scheduleRebind(_ index: Int) {
        sockets[index].rebindAttempts += 1
        let attempts = sockets[index].rebindAttempts
        let pause =
            attempts == 1
            ? TimeAmount.zero : min(.milliseconds(25 << Int64(min(attempts, 7))), Self.longestBindPause)
        eventLoop.scheduleTask(in: pause) { self.assumeIsolated { $0.rebind(index) } }
    }

    private func rebind(_ index: Int) {
        guard !isStopping, sockets[index].socket == nil, !sockets[index].isBinding,
            let address = sockets[index].bound.socketAddress
        else { return }
        sockets[index].isBinding = true
        Task {
            do {
                let socket = try await DatagramSocket.bind(address, loop: self, index: index)
                sockets[index].isBinding = false
                guard !isStopping else {
                    try? await socket.channel.close().get()
                    return
                }
                sockets[index].socket = socket
                opened(index)
                logger.notice("socket is open", metadata: ["address": "\(sockets[index].bound)"])
                networkChanged()
            } catch {
                sockets[index].isBinding = false
                guard !isStopping else { return }
                scheduleRebind(index)
            }
        }
    }

    // MARK: Sending

    func transmit(_ datagram: [UInt8], to endpoint: Endpoint) {
        let now = SystemClock.now.instant
        guard case .send(let path) = set.choose(for: endpoint, at: now, local: localAddress(towards:)),
            let address = addresses.socketAddress(of: endpoint)
        else { return }
        var failure = send(datagram, to: endpoint, address, by: path, at: now)
        if case .send(let other)? = failure?.remedy {
            failure = send(datagram, to: endpoint, address, by: other, at: now)
        }
        guard let failure, case .lose(let isFirst) = failure.remedy else { return }
        let metadata: Logger.Metadata = [
            "error": "\(SendRefusals.name(of: failure.error))", "to": "\(endpoint)",
        ]
        logger.log(level: isFirst ? .warning : .debug, "datagram not sent", metadata: metadata)
    }

    /// Why the system did not take it, and what is to be done; `nil` if it did.
    private func send(
        _ datagram: [UInt8],
        to endpoint: Endpoint,
        _ address: SocketAddress,
        by path: SocketSet.Path,
        at now: Instant
    ) -> (error: Int32, remedy: SocketSet.Remedy)? {
        guard let sender = sockets[path.socket].socket?.sender else { return nil }
        guard let error = sender.send(datagram, to: address, from: path.source) else {
            set.sent(to: endpoint, by: path)
            return nil
        }
        return (error, set.failed(endpoint, by: path, error, at: now))
    }

    // MARK: The network of this machine

    /// Hears of changes from now on. Where the system does not tell of them, time-outs and pauses have to do.
    func watchNetwork() async {
        ownAddresses = addressesOfThisMachine()
        guard !isStopping else { return }
        noteOpenSockets()
        do {
            let channel = try await NetworkWatch.start(on: eventLoop) { [weak self] in
                self?.assumeIsolated { $0.networkChanged() }
            } closed: { [weak self] in
                self?.assumeIsolated { $0.watchAgain() }
            }
            if isStopping { try? await channel.close().get() } else { watch = channel }
        } catch {
            logger.debug("changes of the network are not told", metadata: ["error": "\(error)"])
        }
    }

    private func watchAgain() {
        watch = nil
        guard !isStopping else { return }
        eventLoop.scheduleTask(in: .seconds(1)) {
            self.assumeIsolated { loop in
                guard !loop.isStopping else { return }
                Task { await loop.watchNetwork() }
                loop.networkChanged()
            }
        }
    }

    /// Something changed. What that means is looked at once all that belongs to it has come.
    func networkChanged() {
        guard !isStopping, !isChangePending else { return }
        isChangePending = true
        // Where they never end, not after each.
        let isSoon = lastChange.map { NIODeadline.now() - $0 < Self.longestChangePause } ?? false
        eventLoop.scheduleTask(in: isSoon ? Self.longestChangePause : Self.changePause) {
            self.assumeIsolated { loop in
                loop.isChangePending = false
                loop.reviewNetwork()
            }
        }
    }

    private func reviewNetwork() {
        guard !isStopping else { return }
        let before = ownAddresses
        ownAddresses = addressesOfThisMachine()
        for index in sockets.indices where sockets[index].socket == nil { rebind(index) }
        lastChange = .now()
        noteOpenSockets()
        if ownAddresses != before { lastMove = lastChange }
        askAnew()
        changes &+= 1
        let change = changes
        for pause in Self.secondThoughts {
            eventLoop.scheduleTask(in: pause) {
                self.assumeIsolated { loop in
                    // What came later sees to it itself.
                    if !loop.isStopping, loop.changes == change { loop.askAnew() }
                }
            }
        }
    }

    private func askAnew() {
        let hasMoved = lastMove.map { NIODeadline.now() - $0 < Self.moveMemory } ?? false
        let now = SystemClock.now
        set.networkChanged(addresses: ownAddresses, at: now.instant)
        var actions: [EngineAction] = []
        engine.networkChanged(hasMoved: hasMoved, at: now, into: &actions)
        perform(actions)
    }
}
