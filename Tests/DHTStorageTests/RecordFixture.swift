import DHTCore

/// An author whose bytes are all `byte`: no key at all, which a store need not know.
func author(_ byte: UInt8) -> Identity {
    guard let identity = Identity([UInt8](repeating: byte, count: Identity.byteCount)) else {
        preconditionFailure("32 bytes are 32 bytes")
    }
    return identity
}

/// A record built by hand as `docs/protocol.md`, section 8, lays it out. The signature is the location and
/// zeros, the digest a count of its own: a store looks at neither.
func record(
    at location: UInt8 = 1,
    by authorByte: UInt8 = 1,
    key: String = "key",
    revision: UInt64 = 1,
    value: [UInt8] = [],
    kind: Record.Kind = .value
) -> Record {
    var bytes: [UInt8] = [RecordLayout.version, kind.rawValue, UInt8(key.utf8.count)]
    bytes.append(contentsOf: key.utf8)
    author(authorByte).append(to: &bytes)
    bytes.appendBigEndian(revision)
    bytes.appendBigEndian(UInt32(3600))
    bytes.appendBigEndian(UInt16(value.count))
    bytes.append(contentsOf: value)
    bytes.append(location)
    bytes.append(contentsOf: [UInt8](repeating: 0, count: RecordLayout.signatureLength - 1))
    return wrapped(bytes)
}

/// What stands in for `RecordCodec.decode`: the record that ``record(at:by:key:revision:value:kind:)`` made,
/// if its lengths add up.
func decoded(_ bytes: [UInt8]) -> Record? {
    guard bytes.count >= RecordLayout.keyOffset, RecordLayout.keyLengths.contains(Int(bytes[2])),
        bytes.count >= Int(bytes[2]) + RecordLayout.keyOffset + RecordLayout.valueOffsetPastKey
    else { return nil }
    let lengthOffset = RecordLayout.keyOffset + Int(bytes[2]) + RecordLayout.valueOffsetPastKey - 2
    let valueLength = Int(bytes[lengthOffset]) << 8 | Int(bytes[lengthOffset + 1])
    guard bytes.count == lengthOffset + 2 + valueLength + RecordLayout.signatureLength else { return nil }
    return wrapped(bytes)
}

private func wrapped(_ bytes: [UInt8]) -> Record {
    var digest = [UInt8](repeating: 0, count: 24)
    digest.appendBigEndian(bytes.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) })
    guard let digest = Digest(digest[...]) else { preconditionFailure("24 and 8 bytes are 32 bytes") }
    let location = NodeID(firstByte: bytes[bytes.count - RecordLayout.signatureLength])
    return Record(checkedBytes: bytes, location: location, digest: digest)
}

/// Seeded chance: the same seed, the same test. (Steele, Lea and Flood, 2014.)
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
