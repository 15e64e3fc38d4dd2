import DHTCore
import DHTCrypto
import Foundation

@testable import DHTEnvelope

/// A file of `Tests/Vectors`: section 14 of `docs/protocol.md`, made by another implementation.
enum VectorFile {
    static func read<Content: Decodable>(_ name: String, as _: Content.Type = Content.self) -> Content {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file = folder.appending(path: "Vectors/\(name).json")
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Content.self, from: Data(contentsOf: file))
        } catch {
            preconditionFailure("\(file.path): \(error)")
        }
    }
}

/// Bytes in lower-case hexadecimal digits.
struct Hex: Decodable, Equatable, Sendable {
    let bytes: [UInt8]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let digits = Array(try container.decode(String.self))
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard index + 1 < digits.count, let byte = UInt8(String(digits[index...index + 1]), radix: 16)
            else {
                throw DecodingError.dataCorruptedError(
                    in: container,
                    debugDescription: "no hexadecimal digits"
                )
            }
            bytes.append(byte)
        }
        self.bytes = bytes
    }

    var secret: SecretBytes {
        var copy = bytes
        return SecretBytes(wiping: &copy)
    }

    /// A digest, if it has the length of one.
    var digest: Digest { certain(Digest(bytes)) }

    /// The first eight bytes as a number.
    var number: UInt64 { bytes.bigEndian() }
}
