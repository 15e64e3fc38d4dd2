import DHTCore
import Glibc
import Testing

@testable import SecureDHT

/// What becomes of an address when the system will not send there, without any socket.
@Suite struct SendRefusalsTests {
    private var refusals = SendRefusals()
    private let there = Endpoint(ipv4: 0x0A00_0001, port: 4100)
    private let elsewhere = Endpoint(ipv4: 0x0A00_0001, port: 4101)

    private func at(_ milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: 5_000_000_000) + .milliseconds(milliseconds)
    }

    private func host(_ number: Int) -> Endpoint { Endpoint(ipv4: 0x0A01_0000 + UInt32(number), port: 1) }

    private func count(_ name: String) -> UInt64? { refusals.counters.first { $0.name == name }?.count }

    @Test(arguments: [EACCES, EPERM, EINVAL, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ECONNREFUSED])
    mutating func `an address that is refused is avoided for a second, and no other is`(error: Int32) {
        #expect(!refusals.avoids(there, at: at(0)))
        _ = refusals.refused(there, error, at: at(0))
        #expect(refusals.avoids(there, at: at(0)))
        #expect(refusals.avoids(there, at: at(999)))
        #expect(!refusals.avoids(elsewhere, at: at(0)))
        #expect(!refusals.avoids(there, at: at(1000)))
    }

    @Test(arguments: [ENOBUFS, ENOMEM, EAGAIN, ENETDOWN, EMSGSIZE, EINTR])
    mutating func `an error of this machine or of one datagram has nothing avoided`(error: Int32) {
        for _ in 0..<5 { _ = refusals.refused(there, error, at: at(0)) }
        #expect(!refusals.avoids(there, at: at(0)))
        #expect(refusals.count == 0)
    }

    @Test mutating func `each time it is avoided twice as long, for a minute at most`() {
        var now = at(0)
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] as [UInt64] {
            _ = refusals.refused(there, EPERM, at: now)
            #expect(refusals.avoids(there, at: now + .milliseconds(seconds * 1000 - 1)))
            now = now + .seconds(seconds)
            #expect(!refusals.avoids(there, at: now))
        }
    }

    @Test mutating func `what is heard from there ends the pause, and the next is short again`() {
        for second in 0..<4 as Range<UInt64> { _ = refusals.refused(there, EPERM, at: at(second)) }
        refusals.heard(from: elsewhere)
        #expect(refusals.avoids(there, at: at(5000)))
        refusals.heard(from: there)
        #expect(!refusals.avoids(there, at: at(5000)))
        #expect(refusals.count == 0)
        _ = refusals.refused(there, EPERM, at: at(6000))
        #expect(!refusals.avoids(there, at: at(7000)))
    }

    @Test mutating func `so many are remembered; the one that may be tried soonest makes room`() {
        let capacity = SendRefusals.capacity
        for number in 0..<capacity { _ = refusals.refused(host(number), EPERM, at: at(UInt64(number % 7))) }
        #expect(refusals.count == capacity)
        // The first of all may be tried last now.
        _ = refusals.refused(host(0), EPERM, at: at(10))
        for number in 0..<3 { _ = refusals.refused(host(capacity + number), EPERM, at: at(10)) }
        #expect(refusals.count == capacity)
        #expect(refusals.avoids(host(0), at: at(11)))
        for number in 0..<3 { #expect(refusals.avoids(host(capacity + number), at: at(11))) }
        let gone = (0..<capacity).filter { !refusals.avoids(host($0), at: at(11)) }
        #expect(gone.count == 3)
        #expect(gone.allSatisfy { $0 % 7 == 0 })
    }

    @Test mutating func `what was not sent is counted by its error, and what was not tried`() {
        #expect(refusals.counters.map(\.name) == ["send_avoided"])
        _ = refusals.refused(there, ENETUNREACH, at: at(0))
        for _ in 0..<3 { _ = refusals.refused(elsewhere, ENOBUFS, at: at(0)) }
        _ = refusals.refused(elsewhere, 9999, at: at(0))
        for _ in 0..<2 { refusals.omitted() }
        #expect(count("send_failed.ENETUNREACH") == 1)
        #expect(count("send_failed.ENOBUFS") == 3)
        #expect(count("send_failed.9999") == 1)
        #expect(count("send_avoided") == 2)
    }

    @Test mutating func `of each error the first is told`() {
        let told = [(there, EPERM), (elsewhere, EPERM), (elsewhere, ENOBUFS), (there, ENOBUFS)].map {
            refusals.refused($0.0, $0.1, at: at(0))
        }
        #expect(told == [true, false, true, false])
    }
}
