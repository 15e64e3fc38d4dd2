import DHTCore

/// Bytes that do not say what their layout demands.
struct Malformed: Error {}

/// Takes fields off the front of attackers' bytes; every read is checked against the end.
struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    private(set) var position: Int
    private let end: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
        end = bytes.endIndex
    }

    var remaining: Int { end - position }

    mutating func take(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else { throw Malformed() }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(
        _: Value.Type = Value.self
    ) throws(Malformed) -> Value {
        try take(Value.bitWidth / 8).bigEndian()
    }

    mutating func identity() throws(Malformed) -> Identity {
        guard let identity = Identity(try take(Identity.byteCount)) else { throw Malformed() }
        return identity
    }

    mutating func nodeID() throws(Malformed) -> NodeID {
        guard let id = NodeID(try take(NodeID.byteCount)) else { throw Malformed() }
        return id
    }

    /// The rest must be zero: padding that says something is no padding.
    func expectPadding() throws(Malformed) {
        for byte in bytes[position..<end] where byte != 0 { throw Malformed() }
    }
}
