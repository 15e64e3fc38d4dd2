import DHTCore

/// The view in an answer to PING: `docs/protocol.md`, section 7.
enum ViewCodec {
    /// Clock, state, seconds since the last answer, round trip.
    static let length = clockLength + 1 + 4 + 4
    /// As many bytes of Unix milliseconds as a revision has: so the view fits the smallest datagram beside an
    /// IPv6 address.
    private static let clockLength = 6
    private static let never = UInt32.max

    /// States on the wire.
    private enum State {
        static let unknown: UInt8 = 0
        static let good: UInt8 = 1
        static let questionable: UInt8 = 2
        static let bad: UInt8 = 3
    }

    static func append(_ view: Response.View, to bytes: inout [UInt8]) {
        var clock: [UInt8] = []
        clock.appendBigEndian(min(view.clock, Revision.latest))
        bytes.append(contentsOf: clock.suffix(clockLength))
        bytes.append(code(of: view.state))
        let ago = view.lastAnswered.map { UInt32(clamping: min($0.seconds, longestAgo)) }
        bytes.appendBigEndian(ago ?? never)
        // Zero says that there is none.
        bytes.appendBigEndian(view.roundTrip.map { UInt32(clamping: max($0.microseconds, 1)) } ?? 0)
    }

    private static let longestAgo = UInt64(never) - 1

    static func read(_ reader: inout ByteReader) throws(Malformed) -> Response.View {
        let clock: UInt64 = try reader.take(clockLength).bigEndian()
        let state = try state(reader.integer())
        let lastAnswered = try reader.integer(UInt32.self)
        let roundTrip = try reader.integer(UInt32.self)
        return Response.View(
            clock: clock,
            state: state,
            lastAnswered: lastAnswered == never ? nil : .seconds(UInt64(lastAnswered)),
            roundTrip: roundTrip == 0 ? nil : .microseconds(UInt64(roundTrip))
        )
    }

    private static func code(of state: Reachability.Grade?) -> UInt8 {
        switch state {
        case nil: State.unknown
        case .good: State.good
        case .questionable: State.questionable
        case .bad: State.bad
        }
    }

    private static func state(_ code: UInt8) throws(Malformed) -> Reachability.Grade? {
        switch code {
        case State.unknown: nil
        case State.good: .good
        case State.questionable: .questionable
        case State.bad: .bad
        default: throw Malformed()
        }
    }
}
