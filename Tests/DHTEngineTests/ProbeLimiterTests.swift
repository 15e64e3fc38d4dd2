import DHTCore
import Testing

@testable import DHTEngine

struct ProbeLimiterTests {
    private var limiter = ProbeLimiter()
    private let place = Endpoint(ipv4: 0x0A00_0001, port: 1)

    private mutating func admits(_ endpoint: Endpoint, at milliseconds: UInt64) -> Bool {
        limiter.admit(endpoint, at: at(milliseconds: milliseconds))
    }

    @Test mutating func `two go to an address in 30 seconds`() {
        let admitted = [0, 500, 1500, 29_999, 30_000, 30_499, 30_500, 31_000].filter { admits(place, at: $0) }
        #expect(admitted == [0, 500, 30_000, 30_500])
    }

    @Test mutating func `never three in any 30 seconds, however they are spread`() {
        var generator = SplitMix64(seed: 5)
        var admitted: [UInt64] = []
        var time: UInt64 = 0
        for _ in 0..<500 {
            time += UInt64.random(in: 0...20_000, using: &generator)
            if admits(place, at: time) { admitted.append(time) }
        }
        #expect(admitted.count > 100)
        #expect(zip(admitted, admitted.dropFirst(2)).allSatisfy { $1 - $0 >= 30_000 })
    }

    @Test mutating func `addresses are counted apart, ports too`() {
        let neighbour = Endpoint(ipv4: 0x0A00_0001, port: 2)
        #expect([admits(place, at: 0), admits(place, at: 0), admits(place, at: 0)] == [true, true, false])
        #expect(admits(neighbour, at: 0) == true)
    }

    @Test mutating func `sixteen go to one address in 30 seconds, whatever the port`() {
        let ports = (1...40).map { Endpoint(ipv4: 0x0A00_0001, port: $0) }
        #expect(ports.count { admits($0, at: 0) } == 16)
        #expect(ports.count { admits($0, at: 29_999) } == 0)
        #expect(admits(Endpoint(ipv4: 0x0A00_0002, port: 1), at: 0))
        #expect(ports.count { admits($0, at: 30_000) } == 16)
    }

    @Test mutating func `those behind it that answer leave room for others`() {
        let ports = (1...40).map { Endpoint(ipv4: 0x0A00_0001, port: $0) }
        var admitted = 0
        for port in ports where admits(port, at: 0) {
            admitted += 1
            limiter.clear(port)
        }
        #expect(admitted == 40)
        #expect(limiter.count == 0)
    }

    @Test mutating func `of IPv6 a /64 is one address`() throws {
        func host(_ subnet: UInt8, _ number: UInt8) throws -> Endpoint {
            var bytes: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 12)
            (bytes[7], bytes[15]) = (subnet, number)
            return try #require(Endpoint(addressBytes: bytes, port: 9))
        }
        #expect(try (1...40).count { try admits(host(1, $0), at: 0) } == 16)
        #expect(try admits(host(2, 1), at: 0))
    }

    @Test mutating func `addresses of this machine are bounded by port alone`() {
        let ports = (1...40).map { Endpoint(ipv4: 0x7F00_0001, port: $0) }
        #expect(ports.count { admits($0, at: 0) } == 40)
        #expect(ports.count { admits($0, at: 0) } == 40)
        #expect(ports.count { admits($0, at: 0) } == 0)
    }

    @Test mutating func `an address that answered is free again`() {
        for _ in 0..<3 { _ = admits(place, at: 0) }
        limiter.clear(place)
        #expect(admits(place, at: 1) == true)
    }

    @Test mutating func `when full of addresses it admits no new one until old ones lapse`() {
        for number in 0..<UInt32(ProbeLimiter.capacity) { _ = admits(Endpoint(ipv4: number, port: 9), at: 0) }
        #expect(admits(place, at: 29_999) == false)
        #expect(admits(Endpoint(ipv4: 7, port: 9), at: 29_999) == true)
        #expect(admits(place, at: 30_000) == true)
    }
}
