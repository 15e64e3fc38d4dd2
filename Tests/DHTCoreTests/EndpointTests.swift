import DHTCore
import Glibc
import Testing

@Suite struct EndpointTests {
    private func v6(_ groups: UInt16..., port: UInt16 = 4100) -> Endpoint { v6(groups, port: port) }

    private func v6(_ groups: [UInt16], port: UInt16 = 4100) -> Endpoint {
        var bytes: [UInt8] = []
        for group in groups { bytes.appendBigEndian(group) }
        return .bytes(bytes, port: port)
    }

    private func v4(_ bytes: UInt8..., port: UInt16 = 4100) -> Endpoint {
        .bytes(bytes, port: port)
    }

    // MARK: Bytes

    @Test func `four bytes make an IPv4 endpoint`() {
        let endpoint = v4(10, 0, 0, 2)
        #expect(endpoint == Endpoint(ipv4: 0x0A00_0002, port: 4100))
        #expect(endpoint.family == .ipv4)
        #expect(endpoint.addressBytes == [10, 0, 0, 2])
        #expect(endpoint.port == 4100)
    }

    @Test func `sixteen bytes make an IPv6 endpoint`() {
        let bytes = Array(UInt8(0x20)..<0x30)
        let endpoint = Endpoint(addressBytes: bytes, port: 1)
        #expect(endpoint?.family == .ipv6)
        #expect(endpoint?.addressBytes == bytes)
    }

    @Test(arguments: [0, 1, 3, 5, 15, 17, 32])
    func `another count of bytes makes no endpoint`(count: Int) {
        #expect(Endpoint(addressBytes: [UInt8](repeating: 1, count: count), port: 1) == nil)
    }

    @Test func `an IPv4-mapped address is the IPv4 address it maps`() {
        let mapped = v6(0, 0, 0, 0, 0, 0xFFFF, 0x0A00, 0x0002)
        #expect(mapped == v4(10, 0, 0, 2))
        #expect(mapped.addressBytes.count == 4)
    }

    @Test func `an address that only resembles a mapped one stays IPv6`() {
        #expect(v6(0, 0, 0, 0, 0, 0xFFFE, 0x0A00, 2).family == .ipv6)
        #expect(v6(0, 0, 0, 1, 0, 0xFFFF, 0x0A00, 2).family == .ipv6)
        #expect(v6(0, 0, 0, 0, 0, 0, 0x0A00, 2).family == .ipv6)
    }

    @Test func `endpoints differ by port, address and family`() {
        #expect(v4(10, 0, 0, 1) != v4(10, 0, 0, 1, port: 4101))
        #expect(v4(10, 0, 0, 1) != v4(10, 0, 0, 2))
        #expect(v4(0, 0, 0, 1) != v6(0, 0, 0, 0, 0, 0, 0, 1))
    }

    // MARK: Hints

    @Test func `nobody elsewhere has us send to ourselves`() {
        for own in [v4(127, 0, 0, 1), v4(127, 9, 9, 9), v6(0, 0, 0, 0, 0, 0, 0, 1)] {
            #expect(!own.isUsable(namedBy: v4(10, 0, 0, 1)))
            #expect(!own.isUsable(namedBy: v6(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1)))
            #expect(own.isUsable(namedBy: v4(127, 0, 0, 1)))
            #expect(own.isUsable(namedBy: v6(0, 0, 0, 0, 0, 0, 0, 1)))
        }
    }

    @Test func `nobody has us send where nobody can be`() {
        let nowhere = [
            v4(255, 255, 255, 255), v4(240, 0, 0, 1), v4(0, 1, 2, 3), v4(224, 0, 0, 1), v4(169, 254, 1, 1),
            v4(10, 0, 0, 1, port: 0), v6(0xFE80, 0, 0, 0, 0, 0, 0, 1), v6(0xFF02, 0, 0, 0, 0, 0, 0, 1),
            v6(0, 0, 0, 0, 0, 0, 0, 0), v6(0x0100, 0, 0, 0, 0, 0, 0, 1),
        ]
        for endpoint in nowhere {
            #expect(!endpoint.isUsable(namedBy: v4(10, 0, 0, 1)))
            #expect(!endpoint.isUsable(namedBy: v4(127, 0, 0, 1)))
        }
        let somewhere = [
            v4(10, 0, 0, 1), v4(169, 253, 1, 1), v4(192, 0, 2, 1), v6(0x0100, 0, 0, 1, 0, 0, 0, 1),
            v6(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1), v6(0xFD00, 0, 0, 0, 0, 0, 0, 1),
        ]
        for endpoint in somewhere {
            #expect(endpoint.isUsable(namedBy: v4(10, 0, 0, 1)))
            #expect(endpoint.isUsable(namedBy: v4(127, 0, 0, 1)))
        }
    }

    // MARK: Text

    @Test func `an IPv4 endpoint is written with dots`() {
        #expect(v4(10, 0, 0, 2).description == "10.0.0.2:4100")
        #expect(v4(255, 255, 255, 255, port: 65535).description == "255.255.255.255:65535")
        #expect(v4(0, 0, 0, 0, port: 0).description == "0.0.0.0:0")
        #expect(v4(192, 0, 2, 33).host == "192.0.2.33")
    }

    @Test(
        arguments: [
            ([0x2001, 0xDB8, 0, 0, 0, 0, 0, 1], "2001:db8::1"),
            ([0x2001, 0xDB8, 0, 0, 0, 0, 2, 1], "2001:db8::2:1"),  // RFC 5952, section 4.2.1
            ([0x2001, 0xDB8, 0, 1, 1, 1, 1, 1], "2001:db8:0:1:1:1:1:1"),  // 4.2.2: one group stays
            ([0x2001, 0, 0, 1, 0, 0, 0, 1], "2001:0:0:1::1"),  // 4.2.3: the longest run
            ([0x2001, 0xDB8, 0, 0, 1, 0, 0, 1], "2001:db8::1:0:0:1"),  // 4.2.3: the first among equals
            ([0x2001, 0xDB8, 0xAAAA, 0, 0, 0xBBBB, 0, 0xF], "2001:db8:aaaa::bbbb:0:f"),  // 4.3: lower case
            ([0, 0, 0, 0, 0, 0, 0, 0], "::"),
            ([0, 0, 0, 0, 0, 0, 0, 1], "::1"),
            ([1, 0, 0, 0, 0, 0, 0, 0], "1::"),
            ([0, 0, 1, 0, 0, 0, 0, 0], "0:0:1::"),
            ([0, 1, 2, 3, 4, 5, 6, 7], "0:1:2:3:4:5:6:7"),
            ([1, 2, 3, 4, 5, 6, 0, 0], "1:2:3:4:5:6::"),
            ([0, 0, 3, 4, 5, 6, 7, 8], "::3:4:5:6:7:8"),
            (
                [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF],
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
            ),
        ] as [([UInt16], String)]
    )
    func `an IPv6 address is written as RFC 5952 says`(groups: [UInt16], text: String) {
        #expect(v6(groups).host == text)
        #expect(v6(groups).description == "[\(text)]:4100")
    }

    @Test func `IPv6 text is what the C library writes`() {
        var generator = SplitMix64(seed: 4)
        for _ in 0..<2000 {
            var groups = (0..<8).map { _ in
                generator.oneIn(2) ? 0 : UInt16.random(in: 0...0xFFF, using: &generator)
            }
            groups[0] |= 0x1000  // the C library writes addresses of six leading zero groups in its own way
            let endpoint = v6(groups)
            var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            inet_ntop(AF_INET6, endpoint.addressBytes, &buffer, socklen_t(buffer.count))
            let expected = String(
                decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)),
                as: UTF8.self
            )
            #expect(endpoint.host == expected)
        }
    }

    // MARK: Kinds of addresses

    @Test(
        arguments: [
            [127, 0, 0, 1], [10, 0, 0, 2], [1, 0, 0, 0], [192, 168, 1, 1], [169, 254, 1, 1], [8, 8, 8, 8],
            [223, 255, 255, 255],
        ] as [[UInt8]]
    )
    func `an IPv4 host can be sent to`(bytes: [UInt8]) {
        #expect(Endpoint(addressBytes: bytes, port: 1)?.isUnicast == true)
    }

    @Test(
        arguments: [
            [0, 0, 0, 0], [0, 1, 2, 3], [224, 0, 0, 1], [239, 255, 255, 255], [240, 0, 0, 1],
            [255, 255, 255, 255],
        ] as [[UInt8]]
    )
    func `an IPv4 address of nobody, of many or of none yet is not sent to`(bytes: [UInt8]) {
        #expect(Endpoint(addressBytes: bytes, port: 1)?.isUnicast == false)
    }

    @Test func `an IPv6 host can be sent to`() {
        #expect(v6(0, 0, 0, 0, 0, 0, 0, 1).isUnicast)
        #expect(v6(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1).isUnicast)
        #expect(v6(0xFD00, 0, 0, 0, 0, 0, 0, 1).isUnicast)
        #expect(v6(0xFE7F, 0, 0, 0, 0, 0, 0, 1).isUnicast)
        #expect(v6(0xFEC0, 0, 0, 0, 0, 0, 0, 1).isUnicast)
    }

    @Test func `an IPv6 address of nobody, of many or of one link is not sent to`() {
        #expect(!v6(0, 0, 0, 0, 0, 0, 0, 0).isUnicast)
        #expect(!v6(0xFF02, 0, 0, 0, 0, 0, 0, 1).isUnicast)
        #expect(!v6(0xFE80, 0, 0, 0, 0, 0, 0, 1).isUnicast)
        #expect(!v6(0xFEBF, 0, 0, 0, 0, 0, 0, 1).isUnicast)
    }

    @Test func `nothing can be sent to port zero`() {
        #expect(!v4(127, 0, 0, 1, port: 0).isUnicast)
        #expect(!v6(0, 0, 0, 0, 0, 0, 0, 1, port: 0).isUnicast)
    }

    @Test func `loopback is all of 127 and one address of IPv6`() {
        #expect(v4(127, 0, 0, 1).isLoopback)
        #expect(v4(127, 255, 1, 1).isLoopback)
        #expect(!v4(128, 0, 0, 1).isLoopback)
        #expect(v6(0, 0, 0, 0, 0, 0, 0, 1).isLoopback)
        #expect(!v6(0, 0, 0, 0, 0, 0, 0, 2).isLoopback)
        #expect(!v6(1, 0, 0, 0, 0, 0, 0, 1).isLoopback)
        #expect(!v6(0, 0, 0, 0, 0, 0, 127, 1).isLoopback)
    }

    @Test func `unspecified is the address of all zeros`() {
        #expect(v4(0, 0, 0, 0).isUnspecified)
        #expect(v6(0, 0, 0, 0, 0, 0, 0, 0).isUnspecified)
        #expect(!v4(0, 0, 0, 1).isUnspecified)
        #expect(!v6(0, 0, 0, 1, 0, 0, 0, 0).isUnspecified)
    }

    @Test func `the source of IPv4 is the address without its port`() {
        #expect(v4(10, 0, 0, 2, port: 1).source == v4(10, 0, 0, 2, port: 2).source)
        #expect(v4(10, 0, 0, 2).source != v4(10, 0, 0, 3).source)
        #expect(v4(10, 0, 0, 2).source.port == 0)
    }

    @Test func `the source of IPv6 is the network of 64 bits`() {
        let one = v6(0x2001, 0xDB8, 0, 1, 2, 3, 4, 5, port: 1)
        #expect(one.source == v6(0x2001, 0xDB8, 0, 1, 9, 9, 9, 9, port: 2).source)
        #expect(one.source != v6(0x2001, 0xDB8, 0, 2, 2, 3, 4, 5).source)
        #expect(one.source.description == "[2001:db8:0:1::]:0")
    }
}
