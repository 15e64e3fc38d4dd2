import DHTCore
import Glibc

/// Datagrams that the system would not send: counted by its error, and the addresses that it refused are
/// avoided for a while. Knows neither sockets nor clocks.
///
/// A datagram that is not sent is lost, as on a wire, and nothing else happens. The pauses are there so that
/// whoever names an address nobody can send to costs little; they are short, and end when something is heard
/// from there, because routes, addresses and filters come back.
struct SendRefusals {
    /// How long an address is avoided the first time; each time after that, twice as long.
    static let firstPause = Interval.seconds(1)
    static let longestPause = Interval.seconds(60)
    /// Addresses remembered; the one that may be tried soonest makes room.
    static let capacity = 1024

    private struct Refusal {
        var pause: Interval
        var end: Instant
    }

    private var refusals: [Endpoint: Refusal] = [:]
    private var failures: [Int32: UInt64] = [:]
    /// Datagrams that were not even tried.
    private(set) var avoided: UInt64 = 0

    // MARK: Events

    /// A datagram was not tried.
    mutating func omitted() { avoided += 1 }

    /// The system would not send there; whether this is the first time for this error.
    mutating func refused(_ endpoint: Endpoint, _ error: Int32, at now: Instant) -> Bool {
        failures[error, default: 0] += 1
        if Self.isOfAddress(error) { avoid(endpoint, at: now) }
        return failures[error] == 1
    }

    /// Something came from there; whether it was avoided.
    @discardableResult
    mutating func heard(from endpoint: Endpoint) -> Bool {
        !refusals.isEmpty && refusals.removeValue(forKey: endpoint) != nil
    }

    /// There is reason to try: each address may be tried once now. If that fails its pause goes on doubling.
    mutating func retry(at now: Instant) {
        for endpoint in refusals.keys { retry(endpoint, at: now) }
    }

    /// The same of one address.
    mutating func retry(_ endpoint: Endpoint, at now: Instant) {
        guard !refusals.isEmpty, let refusal = refusals[endpoint], now < refusal.end else { return }
        refusals[endpoint]?.end = now
    }

    private mutating func avoid(_ endpoint: Endpoint, at now: Instant) {
        var pause = Self.firstPause
        if let last = refusals[endpoint] {
            pause = min(last.pause * 2, Self.longestPause)
        } else if refusals.count >= Self.capacity,
            let soonest = refusals.min(by: { $0.value.end < $1.value.end })
        {
            refusals[soonest.key] = nil
        }
        refusals[endpoint] = Refusal(pause: pause, end: now + pause)
    }

    // MARK: Queries

    /// Whether nothing is to be sent there now.
    func avoids(_ endpoint: Endpoint, at now: Instant) -> Bool {
        guard !refusals.isEmpty, let refusal = refusals[endpoint] else { return false }
        return now < refusal.end
    }

    /// Addresses remembered.
    var count: Int { refusals.count }

    /// Datagrams not sent, by the error, as `send_failed.ENETUNREACH`; and those not tried, `send_avoided`.
    var counters: [(name: String, count: UInt64)] {
        failed.map { ("send_failed." + $0.error, $0.count) } + [("send_avoided", avoided)]
    }

    /// Datagrams not sent, by the error's name.
    var failed: [(error: String, count: UInt64)] {
        failures.map { (Self.name(of: $0.key), $0.value) }.sorted { $0.0 < $1.0 }
    }

    /// Whether the error is about where the datagram was to go; others are about this machine, or about this
    /// moment.
    static func isOfAddress(_ error: Int32) -> Bool {
        switch error {
        case EACCES, EPERM, EINVAL, ENETUNREACH, EHOSTUNREACH, EHOSTDOWN, EADDRNOTAVAIL, EAFNOSUPPORT,
            ECONNREFUSED:
            true
        default: false
        }
    }

    /// As `errno` calls it.
    static func name(of error: Int32) -> String {
        switch error {
        case EACCES: "EACCES"
        case EADDRNOTAVAIL: "EADDRNOTAVAIL"
        case EAFNOSUPPORT: "EAFNOSUPPORT"
        case EAGAIN: "EAGAIN"
        case ECONNREFUSED: "ECONNREFUSED"
        case EHOSTDOWN: "EHOSTDOWN"
        case EHOSTUNREACH: "EHOSTUNREACH"
        case EINVAL: "EINVAL"
        case EMSGSIZE: "EMSGSIZE"
        case ENETDOWN: "ENETDOWN"
        case ENETUNREACH: "ENETUNREACH"
        case ENOBUFS: "ENOBUFS"
        case ENOMEM: "ENOMEM"
        case EPERM: "EPERM"
        default: "\(error)"
        }
    }
}
