import DHTCore
import DHTEngine
import DHTEnvelope
import FoundationEssentials

/// A datagram, the number of the socket that it came by, and at which of our addresses if that is known.
struct ReadDatagram: Sendable {
    let arrival: Arrival
    let socket: Int
    let local: Endpoint?

    init(_ arrival: Arrival, on socket: Int, at local: Endpoint?) {
        (self.arrival, self.socket, self.local) = (arrival, socket, local)
    }
}

/// The place where datagrams lie between socket and engine, those who work on them, and what was turned away.
struct DatagramDesk: Sendable {
    let crew: Crew
    private var read: [ReadDatagram] = []
    private(set) var rejections = LastRejections()

    init(_ crew: Crew) { self.crew = crew }

    mutating func add(_ datagram: ReadDatagram) { read.append(datagram) }

    /// All that was read and not taken yet, in the order of arrival.
    mutating func take() -> [ReadDatagram] {
        defer { read.removeAll(keepingCapacity: true) }
        return read
    }

    mutating func reject(_ datagram: ReadDatagram, _ reason: DropReason, at now: Now) {
        rejections.record { number in
            RejectedDatagram(
                number: number,
                time: Date(unixMilliseconds: now.unixMilliseconds),
                reason: .init(rawValue: reason.name),
                source: datagram.arrival.endpoint
            )
        }
    }
}
