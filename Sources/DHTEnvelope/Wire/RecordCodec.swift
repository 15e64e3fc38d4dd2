import DHTCore
import DHTCrypto

/// Reads, makes and verifies records: `docs/protocol.md`, section 8.
package enum RecordCodec {
    private static let context = Array("dht1 record".utf8) + [0]

    /// The record that `bytes` are, all of them; `nil` if their layout is not canonical. The signature is not
    /// checked.
    package static func decode(_ bytes: [UInt8]) -> Record? {
        var reader = ByteReader(bytes[...])
        guard let record = try? read(&reader), reader.remaining == 0 else { return nil }
        return record
    }

    /// Takes one record off the reader.
    static func read(_ reader: inout ByteReader) throws(Malformed) -> Record {
        var ahead = reader
        guard try ahead.integer(UInt8.self) == RecordLayout.version,
            let kind = Record.Kind(rawValue: try ahead.integer())
        else { throw Malformed() }
        let keyLength = Int(try ahead.integer(UInt8.self))
        guard RecordLayout.keyLengths.contains(keyLength) else { throw Malformed() }
        let key = try ahead.take(keyLength)
        _ = try ahead.take(Identity.byteCount + 8)
        guard RecordLayout.lifetimes.contains(try ahead.integer(UInt32.self)) else { throw Malformed() }
        let valueLength = Int(try ahead.integer(UInt16.self))
        let value = try ahead.take(valueLength)
        let isSound =
            switch kind {
            case .value: valueLength <= RecordLayout.maximumValueLength
            case .tombstone: valueLength == 0
            case .reference: ContentReference(encoded: value) != nil
            }
        guard isSound else { throw Malformed() }
        _ = try ahead.take(RecordLayout.signatureLength)
        let location = sha1(key)
        let bytes = Array(try reader.take(ahead.position - reader.position))
        return Record(checkedBytes: bytes, location: location, digest: Digest(blake2bOf: bytes))
    }

    /// The fields that an author writes, before the record is signed.
    package struct Draft: Sendable {
        package var kind: Record.Kind
        /// 1…128 bytes.
        package var key: [UInt8]
        package var revision: Revision
        /// Seconds: 1…31,536,000.
        package var lifetime: UInt32
        /// 0…640 bytes, none in a tombstone; a reference as ``ContentReference/encoded`` writes it.
        package var value: [UInt8]

        package init(kind: Record.Kind, key: [UInt8], revision: Revision, lifetime: UInt32, value: [UInt8]) {
            self.kind = kind
            self.key = key
            self.revision = revision
            self.lifetime = lifetime
            self.value = value
        }
    }

    /// Signs a draft whose limits the caller has checked.
    package static func sign(_ draft: Draft, with key: borrowing SigningKey, network: NetworkID) -> Record {
        var bytes = fields(of: draft, by: key.identity)
        bytes.append(contentsOf: key.sign(signedInput(bytes[...], network: network)))
        return Record(checkedBytes: bytes, location: sha1(draft.key), digest: Digest(blake2bOf: bytes))
    }

    /// All of a record but its signature.
    package static func fields(of draft: Draft, by author: Identity) -> [UInt8] {
        precondition(RecordLayout.keyLengths.contains(draft.key.count), "key of \(draft.key.count) bytes")
        precondition(
            draft.value.count <= RecordLayout.maximumValueLength,
            "value of \(draft.value.count) bytes"
        )
        precondition(RecordLayout.lifetimes.contains(draft.lifetime), "lifetime of \(draft.lifetime) s")
        precondition(draft.kind != .tombstone || draft.value.isEmpty, "a tombstone has no value")
        var bytes: [UInt8] = [RecordLayout.version, draft.kind.rawValue, UInt8(draft.key.count)]
        bytes.reserveCapacity(
            RecordLayout.keyOffset + draft.key.count + RecordLayout.valueOffsetPastKey + draft.value.count
                + RecordLayout.signatureLength
        )
        bytes.append(contentsOf: draft.key)
        author.append(to: &bytes)
        bytes.appendBigEndian(draft.revision.rawValue)
        bytes.appendBigEndian(draft.lifetime)
        bytes.appendBigEndian(UInt16(draft.value.count))
        bytes.append(contentsOf: draft.value)
        return bytes
    }

    /// Whether the author signed this record, for this overlay.
    package static func verifies(_ record: Record, network: NetworkID) -> Bool {
        record.author.verifies(record.signature, of: signedInput(record.signedFields, network: network))
    }

    private static func signedInput(_ fields: ArraySlice<UInt8>, network: NetworkID) -> [UInt8] {
        context + network.bytes + fields
    }
}
