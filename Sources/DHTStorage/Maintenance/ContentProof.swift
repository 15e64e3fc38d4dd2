import DHTCore

/// How content is checked: by its digests, which are others' to compute.
package struct ContentProof: Sendable {
    /// The digests of the pieces, if these bytes are the outline of that content.
    package let digests: @Sendable (ContentReference, _ outline: [UInt8]) -> [Digest]?
    /// Whether these bytes are the piece with that digest.
    package let isPiece: @Sendable ([UInt8], Digest) -> Bool

    package init(
        digests: @escaping @Sendable (ContentReference, [UInt8]) -> [Digest]?,
        isPiece: @escaping @Sendable ([UInt8], Digest) -> Bool
    ) {
        (self.digests, self.isPiece) = (digests, isPiece)
    }

    /// Whether these bytes are that piece of the content with these digests.
    func holds(_ bytes: [UInt8], _ index: Int, of reference: ContentReference, _ digests: [Digest]) -> Bool {
        digests.indices.contains(index) && reference.length(of: .piece(index)) == bytes.count
            && isPiece(bytes, digests[index])
    }
}
