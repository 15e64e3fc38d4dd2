import DHTCore
import DHTEnvelope
import Foundation
import SecureDHT

/// What a datagram costs a node that whoever is no member can make: at the gate alone, and over UDP in
/// another process, at 20,000 a second. And whether a member's pings are answered meanwhile.
///
///     swift run -c release outsiders
@main
struct Outsiders {
    static let rate = 20_000
    static let seconds = 4
    static let rounds = 3
    static let pings = 200

    static func main() async throws {
        switch CommandLine.arguments.dropFirst().first {
        case "victim": try await Child.beVictim()
        case "pinger": try await Child.bePinger()
        default: try run()
        }
    }

    static func run() throws {
        let cast = Cast()
        var loop = GateLoop(cast)
        let atGate = loop.measure()
        let victim = try Child("victim", cast)
        guard let port = UInt16(victim.hear()) else { preconditionFailure("the node has no port") }
        let pinger = try Child("pinger", cast, more: [String(port)])
        let forgery = capture(cast, port)
        var overUDP: [Kind: [Double]] = [:]
        var answered: [Kind: Int] = [:]
        for _ in 0..<rounds {
            for kind in Kind.allCases where kind != .staleReplay {
                overUDP[kind, default: []].append(flood(victim, kind, forgery, port))
            }
        }
        for kind in Kind.allCases where kind != .staleReplay {
            answered[kind] = ping(pinger, during: kind, forgery, port)
        }
        victim.say("")
        print("the node received and dropped:", victim.hear())
        report(atGate, overUDP.mapValues { $0.sorted()[$0.count / 2] }, answered)
        victim.end()
        pinger.end()
    }

    /// Talks with the node as a member does, and keeps what others could have captured.
    static func capture(_ cast: Cast, _ port: UInt16) -> Forgery {
        let (wire, newcomer) = (Wire(to: port), Wire(to: port))
        let endpoint = Endpoint(ipv4: 0x7F00_0001, port: port)
        var now: Instant { Instant(nanoseconds: DispatchTime.now().uptimeNanoseconds) }
        var correspondent = Correspondent(cast, victim: endpoint, at: now)
        var forgery = Forgery(cast: cast)
        for datagram in correspondent.firstContacts { newcomer.send(datagram) }
        while forgery.live.count < Forgery.variety || correspondent.responses.isEmpty {
            let isLive = correspondent.isKnown
            let request = correspondent.ask(at: now)
            wire.send(request)
            if isLive { forgery.live.append(request) }
            while let datagram = wire.receive(milliseconds: 20) {
                for answer in correspondent.hear(datagram, at: now) { wire.send(answer) }
                if correspondent.isKnown, !correspondent.responses.isEmpty { break }
            }
        }
        (forgery.memberBoxKey, forgery.victimBoxKey) = correspondent.boxKeys
        forgery.firstContacts = correspondent.firstContacts
        forgery.responses = correspondent.responses
        return forgery
    }

    private static func wires(_ kind: Kind, _ port: UInt16) -> [Wire] {
        // Sources enough to use up the lane, which gives five a second to each.
        (0..<(kind == .forgedFirstContact ? 64 : 1)).map { _ in Wire(to: port) }
    }

    private static func datagrams(_ kind: Kind, _ forgery: Forgery) -> [[UInt8]] {
        forgery.datagrams(kind, at: Instant(nanoseconds: DispatchTime.now().uptimeNanoseconds))
    }

    /// Microseconds that one datagram takes of the node's process.
    static func flood(_ victim: Child, _ kind: Kind, _ forgery: Forgery, _ port: UInt16) -> Double {
        let (sources, forged) = (wires(kind, port), datagrams(kind, forgery))
        func received() -> Int {
            victim.say("")
            return Int(victim.hear().split(separator: " ").first ?? "") ?? 0
        }
        let (before, start) = (received(), victim.processorTime)
        Wire.flood(sources, forged, rate: rate, count: rate * seconds)
        let taken = received() - before
        return Double(victim.processorTime - start) / 1000 / Double(taken)
    }

    /// How many of the pinger's pings were answered while that was sent.
    static func ping(_ pinger: Child, during kind: Kind, _ forgery: Forgery, _ port: UInt16) -> Int {
        let (sources, forged) = (wires(kind, port), datagrams(kind, forgery))
        let isOver = LockedFlag()
        let flood = Thread {
            Wire.flood(sources, forged, rate: rate, count: .max) { isOver.isSet }
            isOver.set()
        }
        flood.start()
        pinger.say(String(pings))
        let answered = Int(pinger.hear()) ?? 0
        isOver.set()
        while !flood.isFinished { usleep(1000) }
        return answered
    }

    static func report(_ atGate: [Kind: Double], _ overUDP: [Kind: Double], _ answered: [Kind: Int]) {
        func column(_ value: Double?, of all: [Kind: Double]) -> String {
            guard let value, let least = all[.garbage] else { return "               " }
            return String(format: "%7.2f  %5.2f ", value, value / least)
        }
        print("                                         gate µs  ratio    UDP µs  ratio   pings answered")
        for kind in Kind.allCases {
            let title = kind.rawValue.padding(toLength: 40, withPad: " ", startingAt: 0)
            let pings = answered[kind].map { "\($0) of \(Self.pings)" } ?? ""
            print(title, column(atGate[kind], of: atGate), column(overUDP[kind], of: overUDP), pings)
        }
    }
}

/// Told by one thread to another.
final class LockedFlag: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false

    var isSet: Bool { lock.withLock { value } }
    func set() { lock.withLock { value = true } }
}
