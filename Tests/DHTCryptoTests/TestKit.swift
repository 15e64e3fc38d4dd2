import DHTCore
@_exported import TestKit

@testable import DHTCrypto

/// The bytes of hexadecimal digits.
func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = hexadecimal.compactMap(\.hexDigitValue)
    precondition(
        digits.count == hexadecimal.count && digits.count.isMultiple(of: 2),
        "no bytes: \(hexadecimal)"
    )
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// Secret bytes that are no secret.
func secret(_ bytes: [UInt8]) -> SecretBytes {
    var copy = bytes
    return SecretBytes(wiping: &copy)
}

func secret(_ text: String) -> SecretBytes { secret(Array(text.utf8)) }

/// A key made of a seed of 32 equal bytes.
func signingKey(_ byte: UInt8) -> SigningKey { SigningKey(seed: secret([UInt8](repeating: byte, count: 32))) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
