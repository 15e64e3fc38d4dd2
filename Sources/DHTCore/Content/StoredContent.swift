/// The parts of one content that the store has, for start-up.
package struct StoredContent: Hashable, Sendable {
    package let reference: ContentReference
    /// `false` if the store has no outline, or not that of the reference.
    package let hasOutline: Bool
    /// Indices of the pieces that the store has.
    package let pieces: [Int]
    /// A record refers to the content.
    package let isReferred: Bool
    /// Where that record belongs, if it can be read.
    package let location: NodeID?

    package init(
        reference: ContentReference,
        hasOutline: Bool = true,
        pieces: [Int],
        isReferred: Bool,
        location: NodeID? = nil
    ) {
        (self.reference, self.hasOutline, self.pieces) = (reference, hasOutline, pieces)
        (self.isReferred, self.location) = (isReferred, location)
    }
}

/// A part of content as it was read, and the outline that says what it must be. Neither was looked at.
package struct StoredPart: Hashable, Sendable {
    package let bytes: [UInt8]
    package let outline: [UInt8]

    package init(bytes: [UInt8], outline: [UInt8]) { (self.bytes, self.outline) = (bytes, outline) }
}
