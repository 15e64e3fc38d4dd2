import DHTCore
import FoundationEssentials

/// A record as a line of JSON, which is what an export consists of.
///
/// Only `schema` and `record` are read; the other fields say for people and tools what is in `record`.
struct RecordLine: Encodable {
    private static let schema = 1

    /// All that is read of a line. A tool that rounds revisions does no harm.
    private struct Essence: Decodable {
        let schema: Int
        let record: String
    }

    private let schema = Self.schema
    /// The key, if it is UTF-8; else its base64 in `keyBase64`.
    private let key: String?
    private let keyBase64: String?
    /// As people write it.
    private let author: String
    private let revision: UInt64
    /// A revision exceeds what a double holds.
    private let revisionText: String
    /// Unix seconds, rounded down.
    private let expires: UInt64
    private let tombstone: Bool
    /// The canonical bytes, in base64.
    private let record: String

    private enum CodingKeys: String, CodingKey {
        case schema, key, author, revision, expires, tombstone, record
        case keyBase64 = "key_base64"
        case revisionText = "revision_text"
    }

    init(_ record: Record, author: String) {
        key = String(validating: record.key, as: UTF8.self)
        keyBase64 = key == nil ? Data(record.key).base64EncodedString() : nil
        self.author = author
        revision = record.revision.rawValue
        revisionText = String(record.revision.rawValue)
        expires = record.expiry / 1000
        tombstone = record.isTombstone
        self.record = Data(record.bytes).base64EncodedString()
    }

    /// Without a line break at the end.
    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let text = try? encoder.encode(self) else {
            preconditionFailure("texts and numbers are JSON: \(self)")
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of the record on a line, or what is wrong with the line.
    static func recordBytes(_ line: [UInt8]) -> Result<[UInt8], Fault> {
        guard let line = try? JSONDecoder().decode(Essence.self, from: Data(line)) else {
            return .failure(Fault("no JSON object with a schema and a record"))
        }
        guard line.schema == schema else {
            return .failure(Fault("schema \(line.schema) is not known here; upgrade dht"))
        }
        guard let bytes = Data(base64Encoded: line.record) else {
            return .failure(Fault("record is no base64"))
        }
        return .success(Array(bytes))
    }

    /// What is wrong with a line, in words.
    struct Fault: Error {
        let reason: String

        init(_ reason: String) { self.reason = reason }
    }
}
