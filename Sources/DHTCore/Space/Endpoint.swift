/// Where datagrams go: an IP address and a UDP port.
///
/// IPv4-mapped IPv6 addresses are stored as the IPv4 addresses they are, so that one place has one value.
public struct Endpoint: Hashable, Sendable {
    /// The address family, with its code on the wire.
    public enum Family: UInt8, Sendable {
        /// 4 bytes.
        case ipv4 = 4
        /// 16 bytes.
        case ipv6 = 6
    }

    /// A set of families.
    package struct Families: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package static let ipv4 = Families(rawValue: 1)
        package static let ipv6 = Families(rawValue: 2)
        package static let all: Families = [.ipv4, .ipv6]

        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package init(_ family: Family) { self = family == .ipv4 ? .ipv4 : .ipv6 }

        package func contains(_ family: Family) -> Bool { contains(Families(family)) }
    }

    /// IPv4 also for an IPv4-mapped IPv6 address.
    public let family: Family
    /// A UDP port; 0 is none, or asks for a free one.
    public let port: UInt16
    /// The address: all 128 bits for IPv6, the last 32 for IPv4.
    private let high: UInt64
    private let low: UInt64

    /// An IPv4 endpoint; `address` most significant byte first, so 127.0.0.1 is `0x7F000001`.
    public init(ipv4 address: UInt32, port: UInt16) {
        self.init(family: .ipv4, high: 0, low: UInt64(address), port: port)
    }

    /// The endpoint with an address of 4 or 16 bytes; `nil` for any other count.
    public init?(addressBytes: some Collection<UInt8>, port: UInt16) {
        switch addressBytes.count {
        case 4:
            self.init(ipv4: addressBytes.bigEndian(), port: port)
        case 16:
            var words = BigEndianWords(addressBytes)
            self.init(ipv6: words.next(), words.next(), port: port)
        default:
            return nil
        }
    }

    /// An IPv6 endpoint, or the IPv4 one that is mapped into it; the address in two halves, most significant
    /// byte first.
    package init(ipv6 high: UInt64, _ low: UInt64, port: UInt16) {
        if high == 0, low >> 32 == 0xFFFF {
            self.init(ipv4: UInt32(truncatingIfNeeded: low), port: port)
        } else {
            self.init(family: .ipv6, high: high, low: low, port: port)
        }
    }

    /// The address: 4 or 16 bytes.
    public var addressBytes: [UInt8] {
        var bytes: [UInt8] = []
        appendAddress(to: &bytes)
        return bytes
    }

    /// Appends the address: 4 or 16 bytes.
    package func appendAddress(to bytes: inout [UInt8]) {
        switch family {
        case .ipv4: bytes.appendBigEndian(addressEnd)
        case .ipv6:
            bytes.appendBigEndian(high)
            bytes.appendBigEndian(low)
        }
    }

    /// The last four bytes of the address as a number: all of an IPv4 address.
    package var addressEnd: UInt32 { UInt32(truncatingIfNeeded: low) }

    /// The address as ``init(ipv4:port:)`` takes it; `nil` for IPv6.
    package var ipv4: UInt32? { family == .ipv4 ? addressEnd : nil }

    /// Whether a datagram can be sent there at all: a unicast address and a port.
    ///
    /// Checked before an address is stored and before it is sent to; a member's word is no exception.
    package var isUnicast: Bool {
        guard port != 0 else { return false }
        switch family {
        case .ipv4:
            let address = UInt32(truncatingIfNeeded: low)
            let first = address >> 24
            return first != 0 && first < 224
        case .ipv6:
            let isUnspecified = high == 0 && low == 0
            let isMulticast = high >> 56 == 0xFF
            // Link-local needs a scope, which the wire does not carry.
            return !isUnspecified && !isMulticast && !isLinkLocal
        }
    }

    /// Whether a peer at `source` may have us send there: not to ourselves, unless that is where it is, and
    /// not where nobody can be: link-local IPv4 (169.254.0.0/16) and the discard-only 100::/64. A peer that
    /// names such addresses would have us send there for nothing.
    package func isUsable(namedBy source: Endpoint) -> Bool {
        guard isUnicast, !isLoopback || source.isLoopback else { return false }
        switch family {
        case .ipv4: return low >> 16 != 0xA9FE
        case .ipv6: return high != 0x0100_0000_0000_0000
        }
    }

    /// fe80::/10.
    package var isLinkLocal: Bool { family == .ipv6 && high >> 54 == 0b11_1111_1010 }

    /// 127.0.0.0/8 or ::1.
    package var isLoopback: Bool {
        switch family {
        case .ipv4: low >> 24 == 127
        case .ipv6: high == 0 && low == 1
        }
    }

    /// 0.0.0.0 or ::, the address of a socket that listens everywhere.
    package var isUnspecified: Bool { high == 0 && low == 0 }

    /// Whether the endpoints differ in nothing but the port.
    package func hasAddress(of other: Endpoint) -> Bool {
        (family, high, low) == (other.family, other.high, other.low)
    }

    /// The same address with port 0: the key of rate limits by source. IPv6 by /64, the unit a host is given.
    package var source: Endpoint {
        switch family {
        case .ipv4: Endpoint(ipv4: UInt32(truncatingIfNeeded: low), port: 0)
        case .ipv6: Endpoint(family: .ipv6, high: high, low: 0, port: 0)
        }
    }

    private init(family: Family, high: UInt64, low: UInt64, port: UInt16) {
        (self.family, self.high, self.low, self.port) = (family, high, low, port)
    }
}

extension Endpoint: CustomStringConvertible {
    /// `10.0.0.2:4100`, or `[2001:db8::1]:4100` as RFC 5952 writes it.
    public var description: String { "\(family == .ipv6 ? "[\(host)]" : host):\(port)" }

    /// The address alone: `10.0.0.2`, or `2001:db8::1` as RFC 5952 writes it.
    public var host: String {
        switch family {
        case .ipv4: addressBytes.map { String($0) }.joined(separator: ".")
        case .ipv6: compressed
        }
    }

    /// RFC 5952: no leading zeros, the longest run of two or more zero groups, the first among equals, as
    /// `::`.
    private var compressed: String {
        let groups =
            stride(from: 48, through: 0, by: -16).map { UInt16(truncatingIfNeeded: high >> UInt64($0)) }
            + stride(from: 48, through: 0, by: -16).map { UInt16(truncatingIfNeeded: low >> UInt64($0)) }
        var best = 0..<0
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start >= 2, end - start > best.count { best = start..<end }
            start = max(end, start + 1)
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard !best.isEmpty else { return text(groups[...]) }
        return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}
