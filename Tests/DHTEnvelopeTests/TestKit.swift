import DHTCore
import DHTCrypto
@_exported import TestKit
import Testing

@testable import DHTEnvelope

extension SplitMix64 {
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}

/// 32 bytes that a name stands for: everybody's keys are made of their names.
func secret(_ name: String) -> SecretBytes {
    var bytes = blake2b(Array(name.utf8), count: 32)
    return SecretBytes(wiping: &bytes)
}

func signingKey(_ name: String) -> SigningKey { SigningKey(seed: secret(name)) }
func boxKey(_ name: String) -> BoxKey { BoxKey(secret: secret("\(name)'s box")) }
func networkKey(_ name: String) -> NetworkKey { NetworkKey(bytes: secret(name)) }

func keyRing(_ name: String, network: String = "home", boxKey box: String? = nil) -> KeyRing {
    KeyRing(
        signing: signingKey(name),
        network: networkKey(network),
        boxKey: boxKey(box ?? name),
        at: at(0)
    )
}

/// The list that admits these, who may write unless they are among `readers`.
func members(_ names: String..., readers: Set<String> = []) -> AdmissionPolicy {
    let lines = names.map {
        "\(Identity.named($0).text) \($0) write=\(readers.contains($0) ? "no" : "yes")\n"
    }
    do {
        return .members(try Allowlist(parsing: lines.joined(), file: "members"))
    } catch {
        preconditionFailure("\(error)")
    }
}

extension Identity {
    static func named(_ name: String) -> Identity { signingKey(name).identity }
}

extension Endpoint {
    /// 10.0.0.`host`, port 4000 if none is given.
    static func host(_ host: UInt8, port: UInt16 = 4000) -> Endpoint {
        Endpoint(ipv4: 0x0A00_0000 | UInt32(host), port: port)
    }

    /// 2001:db8:0:`subnet`::`host`
    static func ipv6(subnet: UInt16, host: UInt16, port: UInt16 = 4000) -> Endpoint {
        var bytes: [UInt8] = [0x20, 0x01, 0x0D, 0xB8, 0, 0]
        bytes.appendBigEndian(subnet)
        bytes += [0, 0, 0, 0, 0, 0]
        bytes.appendBigEndian(host)
        return certain(Endpoint(addressBytes: bytes, port: port))
    }
}

extension Contact {
    static func named(_ name: String, at endpoint: Endpoint) -> Contact {
        Contact(identity: Identity.named(name), id: Identity.named(name).nodeID, endpoint: endpoint)
    }
}

/// A record of that author; `revision` tells several under one key apart.
func record(
    by author: String,
    key: String = "key",
    value: [UInt8] = Array("value".utf8),
    revision: UInt64 = 1 << 40,
    network: String = "home"
) -> Record {
    let draft = RecordCodec.Draft(
        kind: .value,
        key: Array(key.utf8),
        revision: Revision(rawValue: revision),
        lifetime: 3600,
        value: value
    )
    return RecordCodec.sign(draft, with: signingKey(author), network: networkKey(network).id)
}

extension Record {
    /// The record with its last byte changed: well-formed, and signed by nobody.
    var forged: Record {
        var changed = bytes
        changed[changed.count - 1] ^= 1
        return certain(RecordCodec.decode(changed))
    }
}

extension [UInt8] {
    func flipping(_ mask: UInt8, at index: Int) -> [UInt8] {
        var changed = self
        changed[index] ^= mask
        return changed
    }

    func padded(to length: Int) -> [UInt8] { self + [UInt8](repeating: 0, count: length - count) }
}

extension RosterHead {
    /// Nobody signed it.
    static let sample = RosterHead(
        serial: 1,
        time: 2,
        administrator: .named("alice"),
        text: certain(ContentReference(rosterLength: 3, digest: record(by: "alice").digest)),
        signature: [UInt8](repeating: 4, count: 64)
    )
}

extension Welcome {
    static let sample = Welcome(
        networkKey: [UInt8](repeating: 7, count: 32),
        name: "laptop",
        administrators: [.named("alice")]
    )
}
