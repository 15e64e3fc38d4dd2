import DHTCore
import Testing

@testable import DHTEnvelope

@Suite struct FirstContactLaneTests {
    private var lane = FirstContactLane(rate: 200, sourceRate: 5, at: at(0))

    /// How many of `count` requests from there are let in.
    private mutating func admitted(_ endpoint: Endpoint, of count: Int, now: Instant = at(0)) -> Int {
        (0..<count).count { _ in lane.admit(endpoint, at: now) }
    }

    @Test mutating func `a source has a burst of 20 and then 5 a second`() {
        #expect(admitted(.host(1), of: 100) == 20)
        #expect(admitted(.host(1), of: 100, now: at(1)) == 5)
        #expect(admitted(.host(1), of: 100, now: at(60)) == 20)
    }

    @Test mutating func `another source is not affected`() {
        #expect(admitted(.host(1), of: 100) == 20)
        #expect(admitted(.host(2), of: 100) == 20)
    }

    @Test mutating func `ports of one address are one source`() {
        #expect(admitted(.host(1, port: 1000), of: 15) == 15)
        #expect(admitted(.host(1, port: 2000), of: 15) == 5)
    }

    @Test mutating func `addresses of one IPv6 subnet are one source`() {
        #expect(admitted(.ipv6(subnet: 1, host: 1), of: 15) == 15)
        #expect(admitted(.ipv6(subnet: 1, host: 2), of: 15) == 5)
        #expect(admitted(.ipv6(subnet: 2, host: 1), of: 30) == 20)
    }

    @Test(arguments: [[127, 0, 0, 1], [127, 9, 9, 9], [UInt8](repeating: 0, count: 15) + [1]] as [[UInt8]])
    func `ports of a loopback address are sources of their own`(address: [UInt8]) throws {
        var lane = FirstContactLane(rate: 200, sourceRate: 5, at: at(0))
        let one = try #require(Endpoint(addressBytes: address, port: 1000))
        let two = try #require(Endpoint(addressBytes: address, port: 2000))
        let ones = (0..<30).count { _ in lane.admit(one, at: at(0)) }
        let twos = (0..<30).count { _ in lane.admit(two, at: at(0)) }
        #expect((ones, twos) == (20, 20))
    }

    @Test mutating func `all sources together have 200 a second`() {
        var total = 0
        for host in 1...100 { total += admitted(.host(UInt8(host)), of: 10) }
        #expect(total == 200)
        #expect(admitted(.host(200), of: 10) == 0)
        #expect(admitted(.host(201), of: 20, now: at(1)) == 20)
    }

    @Test mutating func `one source alone does not use up what all have`() {
        #expect(admitted(.host(1), of: 10_000) == 20)
        for host in 2...10 { #expect(admitted(.host(UInt8(host)), of: 20) == 20) }
    }

    @Test func `more sources than it remembers are refused until some have been quiet`() {
        var lane = FirstContactLane(rate: 100_000, sourceRate: 5, at: at(0))
        for source in 0..<4096 {
            #expect(lane.admit(Endpoint(ipv4: 0x0B00_0000 + UInt32(source), port: 1), at: at(0)) == true)
        }
        #expect(lane.admit(.host(1), at: at(0)) == false)
        #expect(lane.admit(Endpoint(ipv4: 0x0B00_0000, port: 1), at: at(0)) == true)
        #expect(lane.admit(.host(1), at: at(2)) == true)
    }

    @Test func `a flood from many sources looks for quiet ones once a second`() {
        var lane = FirstContactLane(rate: 100_000, sourceRate: 5, at: at(0))
        for source in 0..<4096 {
            _ = lane.admit(Endpoint(ipv4: 0x0B00_0000 + UInt32(source), port: 1), at: at(0))
        }
        #expect(lane.admit(.host(1), at: at(0)) == false)
        // All are quiet by now, but somebody looked less than a second ago.
        #expect(lane.admit(.host(1), at: at(milliseconds: 900)) == false)
        #expect(lane.admit(.host(1), at: at(milliseconds: 1000)) == true)
    }
}
