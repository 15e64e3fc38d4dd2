import DHTCore

/// The body that the signature covers and the box hides, before the payload is understood.
/// `docs/protocol.md`, section 3.
package struct Body: Hashable, Sendable {
    /// Bytes before the payload.
    package static let fieldsLength = 20

    package var operation: UInt8
    package var status: UInt8
    /// Of a request its transaction id; of a response the highest counter that its sender has used in a
    /// request to the recipient.
    package var number: UInt64
    /// Of a request the last challenge its sender got from the recipient; of a response a challenge, if the
    /// request was not live. 0: none.
    package var challenge: UInt64
    /// The payload; when decoded, with the padding that follows it.
    package var payload: ArraySlice<UInt8>

    package init(
        operation: UInt8,
        status: UInt8,
        number: UInt64,
        challenge: UInt64,
        payload: ArraySlice<UInt8>
    ) {
        self.operation = operation
        self.status = status
        self.number = number
        self.challenge = challenge
        self.payload = payload
    }

    /// Reads a body of any length; `nil` if it is too short or its reserved bytes are not zero.
    package static func decode(_ bytes: ArraySlice<UInt8>) -> Body? {
        guard bytes.count >= fieldsLength else { return nil }
        let start = bytes.startIndex
        guard bytes[start + 2] == 0, bytes[start + 3] == 0 else { return nil }
        return Body(
            operation: bytes[start],
            status: bytes[start + 1],
            number: bytes[(start + 4)...].bigEndian(),
            challenge: bytes[(start + 12)...].bigEndian(),
            payload: bytes[(start + fieldsLength)...]
        )
    }

    /// Appends the body, padded with zeros to `length` bytes.
    package func append(to buffer: inout [UInt8], length: Int) {
        let padding = length - Self.fieldsLength - payload.count
        precondition(padding >= 0, "a payload of \(payload.count) bytes does not fit a body of \(length)")
        buffer.append(operation)
        buffer.append(status)
        buffer.append(0)
        buffer.append(0)
        buffer.appendBigEndian(number)
        buffer.appendBigEndian(challenge)
        buffer.append(contentsOf: payload)
        buffer.appendZeros(padding)
    }
}
