import DHTCore

/// An author whose bytes are all `byte`: no key at all, which a store need not know.
func author(_ byte: UInt8) -> Identity {
    certain(Identity([UInt8](repeating: byte, count: Identity.byteCount)))
}

/// A record that nobody signed: a store looks at neither its signature nor what its digest is of.
func record(
    at location: UInt8 = 1,
    by authorByte: UInt8 = 1,
    key: String = "key",
    revision: UInt64 = 1,
    value: [UInt8] = [],
    kind: Record.Kind = .value
) -> Record {
    .unsigned(
        at: location,
        by: author(authorByte),
        key: Array(key.utf8),
        revision: revision,
        value: value,
        kind: kind
    )
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
    return .unsigned(bytes)
}
