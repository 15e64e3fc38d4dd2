// swift-format-ignore-file: NeverForceUnwrap

@_exported import TestKit

@testable import DHTCore

extension NodeID {
    /// The bytes 0, 1, 2 …
    static let ascending = NodeID(0..<20)!

    static func random(using generator: inout SplitMix64) -> NodeID { NodeID(generator.bytes(byteCount))! }

    /// The id with the bit at `index` turned over; 0 is the most significant one.
    func flipping(_ index: Int) -> NodeID {
        var bytes = bytes
        bytes[index / 8] ^= 0x80 >> UInt8(index % 8)
        return NodeID(bytes)!
    }
}

extension Identity {
    /// The bytes 0, 1, 2 …
    static let ascending = Identity(0..<32)!

    static func numbered(_ number: UInt64) -> Identity {
        var bytes = [UInt8](repeating: 0, count: 24)
        bytes.appendBigEndian(number)
        return Identity(bytes)!
    }
}

extension Endpoint {
    /// 10.0.0.1 at that port.
    static func port(_ port: UInt16) -> Endpoint { Endpoint(ipv4: 0x0A00_0001, port: port) }

    /// The endpoint with an address of 4 or 16 bytes.
    static func bytes(_ bytes: [UInt8], port: UInt16) -> Endpoint {
        Endpoint(addressBytes: bytes, port: port)!
    }
}

extension Contact {
    /// A contact in an 8-bit key space: its identity has the same number.
    static func at(_ firstByte: UInt8, port: UInt16 = 4000) -> Contact {
        Contact(
            identity: .numbered(UInt64(firstByte)),
            id: NodeID(firstByte: firstByte),
            endpoint: Endpoint(ipv4: 0x0A00_0000 | UInt32(firstByte), port: port)
        )
    }

    /// The `number`-th of a series, somewhere in the key space.
    static func random(_ number: Int, using generator: inout SplitMix64) -> Contact {
        Contact(
            identity: .numbered(UInt64(number)),
            id: .random(using: &generator),
            endpoint: Endpoint(ipv4: 0x0A00_0000 | UInt32(number), port: 4000)
        )
    }
}

extension Sequence<Contact> {
    /// Nearest to `target` first, by sorting them all.
    func sorted(around target: NodeID) -> [Contact] {
        sorted { $0.id.distance(to: target) < $1.id.distance(to: target) }
    }

    /// The numbers of contacts made by ``Contact/at(_:port:)``.
    var places: [UInt8] { map { $0.id.bytes[0] } }
}

extension Catalog {
    /// Decides on an offer, and does as was decided.
    mutating func offer(
        _ record: Record,
        condition: Request.Condition?,
        unixMilliseconds now: UInt64,
        from sender: Identity? = nil,
        eviction: Eviction? = nil
    ) -> Judgement {
        let judgement = decide(
            on: record,
            condition: condition,
            unixMilliseconds: now,
            from: sender,
            eviction: eviction
        )
        commit(record, judgement)
        return judgement
    }
}
