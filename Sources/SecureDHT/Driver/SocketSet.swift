import DHTCore
import Glibc

/// Which socket a datagram goes out by, from which address of ours, and what becomes of it if the system
/// refuses. Knows neither sockets nor clocks: the driver does what this says and tells how it went.
///
/// A peer is answered from the address that it asked: it would take an answer from another address for one of
/// somebody else. To all others the system's routing table says how to go. The first socket is nothing
/// special.
struct SocketSet {
    /// Peers of whom it is remembered how they are reached; then all are forgotten.
    static let capacity = 8192

    /// How a datagram goes out.
    struct Path: Hashable {
        let socket: Int
        /// The address of ours it comes from, whatever the port; `nil`: as the system chooses, or the one
        /// that the socket is bound to.
        var source: Endpoint?
    }

    enum Choice: Hashable {
        case send(Path)
        /// The system refused that address a moment ago.
        case avoid
        /// No open socket is of its family.
        case unroutable
    }

    /// The remedy for a datagram that the system refused.
    enum Remedy: Hashable {
        /// Another way may be open: try it once.
        case send(Path)
        /// It is lost, as on a wire. `isFirst`: of its error.
        case lose(isFirst: Bool)
    }

    private struct Member {
        var bound: Endpoint
        var isOpen: Bool
    }

    private var members: [Member] = []
    private var paths: [Endpoint: Path] = [:]
    private(set) var refusals = SendRefusals()
    /// Datagrams for which there was no socket.
    private(set) var unroutable: UInt64 = 0

    // MARK: Events

    /// There is one more socket, closed until ``opened(_:at:)``.
    mutating func add() { members.append(Member(bound: Endpoint(ipv4: 0, port: 0), isOpen: false)) }

    /// The last one was not to be had.
    mutating func removeLast() { members.removeLast() }

    mutating func opened(_ socket: Int, at bound: Endpoint) {
        members[socket] = Member(bound: bound, isOpen: true)
        forgetRoutes()
    }

    mutating func closed(_ socket: Int) {
        members[socket].isOpen = false
        paths = paths.filter { $0.value.socket != socket }
    }

    /// A datagram came from `endpoint`, whoever sent it.
    mutating func heard(from endpoint: Endpoint, at now: Instant) {
        // If one refused address is heard from again, others can likely be reached again, too.
        if refusals.heard(from: endpoint) { refusals.retry(at: now) }
    }

    /// A peer wrote to us, at `local` of our addresses if that is known.
    mutating func accepted(from endpoint: Endpoint, on socket: Int, at local: Endpoint?) {
        let isEverywhere = members[socket].bound.isUnspecified
        guard members.count > 1 || isEverywhere else { return }
        let source = isEverywhere ? local.flatMap { Self.isOurs($0) ? $0.withoutPort : nil } : nil
        remember(Path(socket: socket, source: source), to: endpoint)
    }

    /// Links, addresses or routes of this machine changed; these are its addresses now, without ports.
    mutating func networkChanged(addresses: Set<Endpoint>, at now: Instant) {
        paths = paths.filter { $0.value.source.map { addresses.contains($0) } ?? false }
        refusals.retry(at: now)
    }

    /// A user wants something: no pause stands in the way.
    mutating func userAsks(at now: Instant) { refusals.retry(at: now) }

    /// Somebody named this address, or was heard to be there.
    mutating func retry(_ endpoint: Endpoint, at now: Instant) { refusals.retry(endpoint, at: now) }

    /// How a datagram to `endpoint` is to go. `local` asks the system from which of our addresses it would
    /// send there; that is asked where there is a choice.
    mutating func choose(
        for endpoint: Endpoint,
        at now: Instant,
        local: (Endpoint) -> Endpoint?
    ) -> Choice {
        if refusals.avoids(endpoint, at: now) {
            refusals.omitted()
            return .avoid
        }
        if let path = paths[endpoint], members[path.socket].isOpen { return .send(path) }
        guard let path = newPath(to: endpoint, local) else {
            unroutable += 1
            return .unroutable
        }
        return .send(path)
    }

    /// The system refused to send there by that path.
    mutating func failed(_ endpoint: Endpoint, by path: Path, _ error: Int32, at now: Instant) -> Remedy {
        if path.source != nil, SendRefusals.isOfAddress(error) {
            // The address of ours may be gone, or lead nowhere any more.
            return .send(Path(socket: path.socket, source: nil))
        }
        if path.source == nil, members.count > 1 { paths[endpoint] = nil }
        return .lose(isFirst: refusals.refused(endpoint, error, at: now))
    }

    /// The system took a datagram that was to go there by that path.
    mutating func sent(to endpoint: Endpoint, by path: Path) {
        // Only another path led there.
        if path.source == nil, paths[endpoint]?.source != nil { paths[endpoint] = nil }
    }

    // MARK: Private

    private mutating func newPath(to endpoint: Endpoint, _ local: (Endpoint) -> Endpoint?) -> Path? {
        func fits(_ socket: Int) -> Bool {
            let member = members[socket]
            return member.isOpen && member.bound.family == endpoint.family
                && (!member.bound.isLoopback || endpoint.isLoopback)
        }
        guard let first = members.indices.first(where: fits) else { return nil }
        // Most nodes have one for each family.
        guard members.indices.last(where: fits) != first else { return Path(socket: first, source: nil) }
        let fitting = members.indices.filter(fits)
        let chosen = local(endpoint)?.withoutPort
        let socket =
            fitting.first { members[$0].bound.withoutPort == chosen }
            ?? fitting.first { members[$0].bound.isUnspecified } ?? first
        let path = Path(socket: socket, source: nil)
        if chosen != nil { remember(path, to: endpoint) }
        return path
    }

    private mutating func remember(_ path: Path, to endpoint: Endpoint) {
        if paths[endpoint] == path { return }
        if paths.count >= Self.capacity { paths = [:] }
        paths[endpoint] = path
    }

    /// Forgets what was chosen by the system's word; how peers wrote to us stays.
    private mutating func forgetRoutes() { paths = paths.filter { $0.value.source != nil } }

    /// Whether datagrams can come from that address: it is none of many machines.
    private static func isOurs(_ address: Endpoint) -> Bool {
        Endpoint(addressBytes: address.addressBytes, port: 1)?.isUnicast ?? false
    }
}
