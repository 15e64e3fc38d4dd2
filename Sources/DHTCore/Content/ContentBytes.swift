/// The bytes of a long value, wherever they are: in memory, or in a file, of which a part is read when it is
/// needed.
package protocol ContentBytes: Sendable {
    var count: Int { get }

    /// May block its thread. `nil`: they cannot be read.
    ///
    /// - Parameter range: Within `0..<count`.
    func bytes(in range: Range<Int>) -> [UInt8]?
}

extension [UInt8]: ContentBytes {
    package func bytes(in range: Range<Int>) -> [UInt8]? { Array(self[range]) }
}
