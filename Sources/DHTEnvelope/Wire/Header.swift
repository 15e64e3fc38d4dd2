import DHTCore
import DHTCrypto

/// The masked part of a datagram: who sends, to which key, and which request it is or answers.
/// `docs/protocol.md`, section 3.
package struct Header: Hashable, Sendable {
    package enum Kind: UInt8, Sendable {
        case request = 1
        case response = 2
    }

    package static let version: UInt8 = 1
    package static let byteCount = 80

    package var kind: Kind
    /// Which of the recipient's keys the box is for; 0 is the static one.
    package var recipientKeyID: UInt32
    /// Of a request its counter; of a response the transaction id of the request it answers.
    package var number: UInt64
    package var sender: Identity
    package var senderBoxKey: BoxPublicKey

    package init(
        kind: Kind,
        recipientKeyID: UInt32,
        number: UInt64,
        sender: Identity,
        senderBoxKey: BoxPublicKey
    ) {
        self.kind = kind
        self.recipientKeyID = recipientKeyID
        self.number = number
        self.sender = sender
        self.senderBoxKey = senderBoxKey
    }

    package enum Decoded: Hashable, Sendable {
        case header(Header)
        case dropped(DropReason)
    }

    /// Reads 80 bytes.
    package static func decode(_ bytes: [UInt8]) -> Decoded {
        unsafe bytes.withUnsafeBytes { unsafe decode($0) }
    }

    /// Reads 80 bytes.
    package static func decode(_ bytes: UnsafeRawBufferPointer) -> Decoded {
        guard bytes.count == byteCount else { return .dropped(.header) }
        guard unsafe bytes[0] == version else { return .dropped(.version) }
        guard let kind = unsafe Kind(rawValue: bytes[1]), unsafe bytes[2] == 0, unsafe bytes[3] == 0 else {
            return .dropped(.kind)
        }
        let keyID = unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        if kind == .response, keyID == 0 { return .dropped(.kind) }
        return .header(
            Header(
                kind: kind,
                recipientKeyID: keyID,
                number: unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                sender: unsafe Identity(bytes, at: 16),
                senderBoxKey: unsafe BoxPublicKey(bytes, at: 48)
            )
        )
    }

    /// The 80 bytes.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// Appends the 80 bytes.
    func append(to bytes: inout [UInt8]) {
        bytes.append(Self.version)
        bytes.append(kind.rawValue)
        bytes.append(0)
        bytes.append(0)
        bytes.appendBigEndian(recipientKeyID)
        bytes.appendBigEndian(number)
        sender.append(to: &bytes)
        senderBoxKey.append(to: &bytes)
    }
}
