import Foundation

/// The lines of a list that the system makes while it is read, such as `/proc/net/unix`. It comes in pieces
/// of less than a page, of which `String(contentsOfFile:)` takes the first alone.
package func systemList(_ path: String) throws -> [Substring] {
    guard let file = unsafe fopen(path, "r") else { throw CocoaError(.fileReadNoSuchFile) }
    defer { unsafe fclose(file) }
    var (bytes, piece) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
    while case let count = unsafe fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
}
