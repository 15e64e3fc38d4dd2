import DHTCore
import NIOCore

/// The way datagrams go out: a socket, or a stand-in for one.
protocol DatagramTransport: Sendable {
    /// Gives a datagram to the system, which says at once whether it takes it: `nil`, or its error number.
    /// `source`: the address of ours it is to come from.
    func send(_ datagram: [UInt8], to address: SocketAddress, from source: Endpoint?) -> Int32?

    /// Whether datagrams have arrived that were not read yet.
    var hasUnread: Bool { get }
}

/// The node's sockets, by number: which of them are open, which is sent by, and when a closed one is bound
/// again.
///
/// Binds and reads nothing: the driver tells what was opened and closed, and does as it is told. Numbers are
/// never given twice.
struct NodeSockets<Transport: DatagramTransport>: Sendable {
    /// Between two attempts to bind a socket, at most.
    private static var longestBindPause: TimeAmount { .seconds(2) }

    /// A socket the node listens on.
    private struct Slot {
        let configured: HostPort
        let bound: Endpoint
        /// `nil` while it is closed.
        var transport: Transport?
        var rebindAttempts: Int64 = 0
        var isBinding = false
    }

    /// A datagram that the system refused.
    struct Loss: Hashable {
        let error: Int32
        /// None was lost by that error before.
        let isFirst: Bool
    }

    private var slots: [Slot] = []
    /// The choice of the socket that a datagram goes out by.
    private var choice = SocketSet()
    private var addresses = AddressCache()

    // MARK: Queries

    /// Whether a socket is open.
    var isOpen: Bool { slots.contains { $0.transport != nil } }

    /// The endpoints that open sockets are bound to.
    var openEndpoints: [Endpoint] { slots.filter { $0.transport != nil }.map(\.bound) }

    /// The numbers of the closed sockets.
    var closed: [Int] { slots.indices.filter { slots[$0].transport == nil } }

    /// Whether datagrams have arrived that were not read yet.
    var hasUnread: Bool { slots.contains { $0.transport?.hasUnread ?? false } }

    /// The configured addresses of the closed sockets.
    var closedAddresses: [HostPort] { slots.filter { $0.transport == nil }.map(\.configured) }

    /// The socket of this number, if it is open.
    subscript(socket: Int) -> Transport? { slots.indices.contains(socket) ? slots[socket].transport : nil }

    /// The endpoint that a socket is, or was, bound to.
    func endpoint(of socket: Int) -> Endpoint { slots[socket].bound }

    /// Datagrams that the system would not send.
    var refusals: SendRefusals { choice.refusals }
    /// Datagrams for which there was no socket.
    var unroutable: UInt64 { choice.unroutable }

    // MARK: Opening and closing

    /// The number of a socket that is about to be bound: ``add(_:at:_:)`` or ``removeLast()`` is next.
    mutating func reserve() -> Int {
        choice.add()
        return slots.count
    }

    /// The one that was about to be bound is not to be had.
    mutating func removeLast() { choice.removeLast() }

    /// The reserved one was bound; `nil`: it waits until its address is one of this machine's.
    mutating func add(_ configured: HostPort, at bound: Endpoint, _ transport: Transport?) {
        slots.append(Slot(configured: configured, bound: bound, transport: nil))
        if let transport { opened(slots.count - 1, transport) }
    }

    /// A closed one was bound again.
    mutating func opened(_ socket: Int, _ transport: Transport) {
        slots[socket].transport = transport
        slots[socket].isBinding = false
        slots[socket].rebindAttempts = 0
        choice.opened(socket, at: slots[socket].bound)
    }

    /// A socket closed. `false`: it was not open.
    mutating func closed(_ socket: Int) -> Bool {
        guard slots.indices.contains(socket), slots[socket].transport != nil else { return false }
        slots[socket].transport = nil
        choice.closed(socket)
        return true
    }

    /// How long to wait before a closed socket is bound again: longer each time.
    mutating func nextRebind(of socket: Int) -> TimeAmount {
        slots[socket].rebindAttempts += 1
        let attempts = slots[socket].rebindAttempts
        return attempts == 1 ? .zero : min(.milliseconds(25 << min(attempts, 7)), Self.longestBindPause)
    }

    /// Where to bind a closed socket now; ``opened(_:_:)`` or ``rebindFailed(_:)`` is next. `nil`: it is
    /// open, or being bound.
    mutating func beginRebind(of socket: Int) -> SocketAddress? {
        guard slots[socket].transport == nil, !slots[socket].isBinding,
            let address = slots[socket].bound.socketAddress
        else { return nil }
        slots[socket].isBinding = true
        return address
    }

    mutating func rebindFailed(_ socket: Int) { slots[socket].isBinding = false }

    // MARK: Datagrams

    /// A datagram came from `endpoint`, whoever sent it.
    mutating func heard(from endpoint: Endpoint, at now: Instant) { choice.heard(from: endpoint, at: now) }

    /// A peer wrote to us, at `local` of our addresses if that is known.
    mutating func accepted(from endpoint: Endpoint, on socket: Int, at local: Endpoint?) {
        choice.accepted(from: endpoint, on: socket, at: local)
    }

    /// A user wants something: no pause stands in the way.
    mutating func userAsks(at now: Instant) { choice.userAsks(at: now) }

    /// Somebody named this address, or was heard to be there.
    mutating func retry(_ endpoint: Endpoint, at now: Instant) { choice.retry(endpoint, at: now) }

    /// Links, addresses or routes of this machine changed; these are its addresses now, without ports.
    mutating func networkChanged(addresses: Set<Endpoint>, at now: Instant) {
        choice.networkChanged(addresses: addresses, at: now)
    }

    /// Sends a datagram, by another way if the system refuses the first; returns why it was lost if the
    /// system refused it. `local` asks from which of our addresses the system would send there.
    mutating func send(
        _ datagram: [UInt8],
        to endpoint: Endpoint,
        at now: Instant,
        local: (Endpoint) -> Endpoint?
    ) -> Loss? {
        guard case .send(let path) = choice.choose(for: endpoint, at: now, local: local),
            let address = addresses.socketAddress(of: endpoint)
        else { return nil }
        var failure = send(datagram, to: endpoint, address, by: path, at: now)
        if case .send(let other)? = failure?.remedy {
            failure = send(datagram, to: endpoint, address, by: other, at: now)
        }
        guard let failure, case .lose(let isFirst) = failure.remedy else { return nil }
        return Loss(error: failure.error, isFirst: isFirst)
    }

    /// Why the system did not take it, and what is to be done; `nil` if it did.
    private mutating func send(
        _ datagram: [UInt8],
        to endpoint: Endpoint,
        _ address: SocketAddress,
        by path: SocketSet.Path,
        at now: Instant
    ) -> (error: Int32, remedy: SocketSet.Remedy)? {
        guard let transport = slots[path.socket].transport else { return nil }
        guard let error = transport.send(datagram, to: address, from: path.source) else {
            choice.sent(to: endpoint, by: path)
            return nil
        }
        return (error, failed(endpoint, by: path, error, at: now))
    }

    /// The system refused to send there by that path: what is to be done.
    mutating func failed(
        _ endpoint: Endpoint,
        by path: SocketSet.Path,
        _ error: Int32,
        at now: Instant
    ) -> SocketSet.Remedy {
        choice.failed(endpoint, by: path, error, at: now)
    }

    /// Those that are open, to be closed: the node ends.
    mutating func removeAll() -> [Transport] {
        defer { for index in slots.indices { slots[index].transport = nil } }
        return slots.compactMap(\.transport)
    }
}
