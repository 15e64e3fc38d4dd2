import DHTCore
import DHTEnvelope
import Testing

@testable import DHTEngine

/// One node of eight starts anew, in its old place, while the others ask it for much.
struct RestartTests {
    private static let callsEach = 64

    /// A request whose answer nobody but the test waits for.
    private func request(_ number: Int, by host: Host, on overlay: Overlay) -> Request {
        switch number % 3 {
        case 0: return .ping(isLeaving: false)
        case 1: return .findValue(location: overlay.location("key \(number)"), author: nil, offset: 0)
        default:
            let draft = RecordCodec.Draft(
                kind: .value,
                key: Array("key \(host.index) \(number)".utf8),
                revision: Revision(unixMilliseconds: overlay.now(at: host).unixMilliseconds, above: nil),
                lifetime: 3600,
                value: [UInt8](repeating: 7, count: 100)
            )
            return .store(host.engine.gate.sign(draft), condition: nil)
        }
    }

    /// Has seven nodes ask the eighth, which starts anew after `pause`. How often a request was sent at most;
    /// `nil` if one was not answered.
    private func mostTransmissions(seed: UInt64, pause: Interval, delays: ClosedRange<UInt64>) -> Int? {
        let overlay = Overlay(8, seed: seed)
        overlay.conditions.delay = .uniform(delays)
        overlay.startAll()
        let askers = Array(1..<8)
        for index in askers { #expect(overlay.knows(index, 0)) }
        let gaveUp = askers.map { overlay[$0].engine.counters.timeouts }
        let names = (0..<Self.callsEach).map { CallID.core(UInt64(1_000_000 + $0)) }
        for index in askers {
            for (number, name) in names.enumerated() {
                let request = request(number, by: overlay[index], on: overlay)
                let contact = overlay[0].contact
                overlay.act(overlay[index]) { engine, turn in
                    engine.start(name, contact, request, isConfigured: false, in: &turn)
                }
            }
        }
        overlay.run(for: pause)
        overlay.kill(0)
        overlay.start(0, seeds: [1])

        var most = 0
        let areOver = overlay.run(until: overlay.clock + .seconds(20)) {
            let calls = askers.flatMap { index in names.compactMap { overlay[index].engine.calls[$0] } }
            most = max(most, calls.map(\.transmissions).max() ?? 0)
            return calls.isEmpty
        }
        // And what it was asked to keep it keeps.
        overlay.run(for: .seconds(5))
        for index in askers { #expect(overlay.holders(of: "key \(index) 2").contains(0)) }
        // What is over and was not given up was answered.
        return areOver && askers.map({ overlay[$0].engine.counters.timeouts }) == gaveUp ? most : nil
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `all that is under way to a node that starts anew is answered, sent twice at most`(seed: UInt64) {
        let (delay, nothing) = (5 + seed, Interval(nanoseconds: 0))
        let most = mostTransmissions(seed: seed, pause: nothing, delays: delay...delay)
        #expect(most.map { $0 <= 2 } == true, "sent \(most ?? 0) times")
    }

    /// The first request that answers a challenge begins a session, in which all sent before it count as
    /// seen: so those that it overtook are sent once more. And to whoever answered since what seems lost
    /// goes as before.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `so it is where datagrams overtake each other and some were answered, sent three times at most`(
        seed: UInt64
    ) {
        let pause = Interval.milliseconds(seed * 2 % 40)
        #expect(mostTransmissions(seed: seed, pause: pause, delays: 10...20) ?? 4 <= 3)
    }
}
