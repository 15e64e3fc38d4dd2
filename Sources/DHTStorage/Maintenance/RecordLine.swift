import DHTCore
import FoundationEssentials

/// A line of an export, each a JSON object: a header, records, long values with their pieces, kept keys, and
/// an end that says how many lines there are.
///
/// Fields that are there for people and tools are not read.
enum ExportLine {
    /// The format that this release writes and reads.
    static let format = 2

    case header(format: Int)
    /// The canonical bytes.
    case record([UInt8])
    /// A long value: its pieces follow.
    case content(ContentReference, outline: [UInt8])
    case piece([UInt8], index: Int, of: Digest)
    /// A value that the node of this author keeps alive.
    case kept(RenewedValue, author: String)
    /// Lines before this one, empty ones not counted.
    case end(lines: Int)

    // MARK: Writing

    private struct Header: Encodable {
        var format: Int
        var schema = 1
    }

    private struct ContentFields: Encodable {
        var content: String
        var length: UInt32
        var outline: String
        var schema = 1
    }

    private struct PieceFields: Encodable {
        var content: String
        var number: Int
        var piece: String
        var schema = 1
    }

    private struct KeptFields: Encodable {
        var kept: String
        var author: String
        var lifetime: UInt32
        var revisionText: String
        var schema = 1

        private enum CodingKeys: String, CodingKey {
            case kept, author, lifetime, schema
            case revisionText = "revision_text"
        }
    }

    private struct EndFields: Encodable {
        var end: Int
        var schema = 1
    }

    /// Without a line break at the end. A record is written by ``RecordLine``.
    var text: String {
        switch self {
        case .header(let format): Self.json(Header(format: format))
        case .record(let bytes): preconditionFailure("a record of \(bytes.count) bytes has a line of its own")
        case .content(let reference, let outline):
            Self.json(
                ContentFields(
                    content: base64(reference.digest.bytes),
                    length: reference.length,
                    outline: base64(outline)
                )
            )
        case .piece(let bytes, let index, let digest):
            Self.json(PieceFields(content: base64(digest.bytes), number: index, piece: base64(bytes)))
        case .kept(let value, let author):
            Self.json(
                KeptFields(
                    kept: base64(value.key),
                    author: author,
                    lifetime: value.lifetime,
                    revisionText: String(value.revision.rawValue)
                )
            )
        case .end(let lines): Self.json(EndFields(end: lines))
        }
    }

    private func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    static func json(_ fields: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let text = try? encoder.encode(fields) else {
            preconditionFailure("texts and numbers are JSON: \(fields)")
        }
        return String(decoding: text, as: UTF8.self)
    }

    // MARK: Reading

    /// All that is read of a line. A tool that rounds revisions does no harm.
    private struct Essence: Decodable {
        let schema: Int
        let format: Int?
        let record: String?
        let content: String?
        let length: UInt32?
        let outline: String?
        let number: Int?
        let piece: String?
        let kept: String?
        let author: String?
        let lifetime: UInt32?
        let revisionText: String?
        let end: Int?

        private enum CodingKeys: String, CodingKey {
            case schema, format, record, content, length, outline, number, piece, kept, author, lifetime, end
            case revisionText = "revision_text"
        }
    }

    /// The line that these bytes are, or the fault in them.
    static func read(_ line: [UInt8]) -> Result<ExportLine, Fault> {
        guard let line = try? JSONDecoder().decode(Essence.self, from: Data(line)) else {
            return .failure(Fault("no JSON object with a schema"))
        }
        if let format = line.format { return .success(.header(format: format)) }
        guard line.schema == 1 else {
            return .failure(Fault("schema \(line.schema) is not known here; upgrade dht"))
        }
        if let end = line.end { return .success(.end(lines: end)) }
        if let record = line.record {
            return bytes(record).map { .success(.record($0)) } ?? .failure(Fault("record is no base64"))
        }
        if line.content != nil { return content(line) }
        if let text = line.kept {
            guard let key = bytes(text), RecordLayout.keyLengths.contains(key.count),
                let author = line.author,
                let lifetime = line.lifetime, RecordLayout.lifetimes.contains(lifetime),
                let revision = line.revisionText.flatMap({ UInt64($0) })
            else { return .failure(Fault("kept is no key with an author, a lifetime and a revision")) }
            let value = RenewedValue(
                key: key,
                lifetime: lifetime,
                revision: Revision(rawValue: revision)
            )
            return .success(.kept(value, author: author))
        }
        return .failure(Fault("nothing that an export has"))
    }

    private static func content(_ line: Essence) -> Result<ExportLine, Fault> {
        guard let digest = line.content.flatMap(bytes).flatMap({ Digest($0[...]) }) else {
            return .failure(Fault("content is no digest in base64"))
        }
        if let piece = line.piece {
            guard let bytes = bytes(piece), let index = line.number else {
                return .failure(Fault("piece is no base64 with a number"))
            }
            return .success(.piece(bytes, index: index, of: digest))
        }
        guard let length = line.length, let reference = ContentReference(length: length, digest: digest),
            let outline = line.outline.flatMap(bytes)
        else { return .failure(Fault("content has no length and outline")) }
        return .success(.content(reference, outline: outline))
    }

    private static func bytes(_ base64: String) -> [UInt8]? { Data(base64Encoded: base64).map { Array($0) } }

    /// The fault of a line, in words.
    struct Fault: Error {
        let reason: String

        init(_ reason: String) { self.reason = reason }
    }
}

/// A record as a line of an export.
///
/// Only `schema` and `record` are read; the other fields say for people and tools what is in `record`.
struct RecordLine: Encodable {
    private let schema = 1
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
    var text: String { ExportLine.json(self) }
}
