import DHTCore
import NIOCore

/// The network of this machine, as far as it is known: its addresses, and when they changed.
///
/// The driver reads addresses when it is told to, and tells what it found.
struct NetworkState {
    /// Changes come in crowds: all within this time are one.
    static let changePause = TimeAmount.milliseconds(200)
    /// The pause where changes never end: they are not looked at one by one.
    static let longestChangePause = TimeAmount.seconds(1)
    /// Pauses after which peers are asked again: a new address or route may take a moment to work.
    static let secondThoughts = [TimeAmount.seconds(1), .milliseconds(2500), .seconds(6)]
    /// A move is told again for as long, whatever else changes meanwhile.
    static let moveMemory = TimeAmount.seconds(8)

    /// Tells of changes of this machine's network.
    var watch: (any Channel)?
    /// Addresses of this machine, without ports.
    private(set) var addresses: Set<Endpoint> = []
    private var isReviewDue = false
    private var changes = 0
    private var lastChange: NIODeadline?
    private var lastMove: NIODeadline?

    /// The addresses from which changes are counted.
    mutating func start(_ addresses: Set<Endpoint>) { self.addresses = addresses }

    /// Something changed: how long to wait before ``review(_:at:)``; `nil`: it is about to come anyway.
    mutating func changed(at now: NIODeadline) -> TimeAmount? {
        guard !isReviewDue else { return nil }
        isReviewDue = true
        let isSoon = lastChange.map { now - $0 < Self.longestChangePause } ?? false
        return isSoon ? Self.longestChangePause : Self.changePause
    }

    /// These are the addresses now. Returns the number of the change; peers are to be asked anew now, and
    /// after each of ``secondThoughts`` if ``isLatest(_:)``.
    mutating func review(_ addresses: Set<Endpoint>, at now: NIODeadline) -> Int {
        isReviewDue = false
        lastChange = now
        if addresses != self.addresses { lastMove = now }
        self.addresses = addresses
        changes &+= 1
        return changes
    }

    /// Whether nothing changed since: after a later change peers are asked anyway.
    func isLatest(_ change: Int) -> Bool { changes == change }

    /// Whether the addresses changed a moment ago.
    func hasMoved(at now: NIODeadline) -> Bool { lastMove.map { now - $0 < Self.moveMemory } ?? false }

    /// Where a socket that is bound to no address can be reached, as far as is known.
    func endpoints(of bound: Endpoint) -> [Endpoint] {
        addresses.filter { $0.family == bound.family }.sorted { $0.host < $1.host }
            .compactMap { Endpoint(addressBytes: $0.addressBytes, port: bound.port) }
    }
}
