extension Response {
    /// A responder's clock, and what it made of the asker before the PING that it answers. It is told to the
    /// asker's operator, and nothing is decided by it: any of it may be a lie.
    package struct View: Hashable, Sendable {
        /// The responder's clock, in Unix milliseconds; on the wire ``Revision/latest`` at most.
        package var clock: UInt64
        /// How far the responder's routing table counts on the asker; `nil`: it is not there.
        package var state: ContactGrade?
        /// How long ago the asker last answered a request or a challenge of the responder's; `nil`: never,
        /// as far as it knows. Whole seconds on the wire.
        package var lastAnswered: Interval?
        /// The smoothed round trip from the responder to the asker; `nil` before the first sample. Whole
        /// microseconds on the wire.
        package var roundTrip: Interval?

        package init(
            clock: UInt64,
            state: ContactGrade? = nil,
            lastAnswered: Interval? = nil,
            roundTrip: Interval? = nil
        ) {
            (self.clock, self.state) = (clock, state)
            (self.lastAnswered, self.roundTrip) = (lastAnswered, roundTrip)
        }
    }
}
