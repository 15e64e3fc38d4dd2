extension Lookup {
    /// A contact a lookup heard of, and how it stands.
    struct Candidate: Sendable {
        enum State: Sendable {
            case heard
            /// Another path asks it.
            case taken
            case inFlight
            case slow
            case answered(bearing: Bool)
            case failed
        }

        var contact: Contact
        let distance: Distance
        /// Answers it took to hear of it, and one.
        let hop: Int
        var state = State.heard
        /// Another endpoint it is said to have, tried once if the first fails: a peer that restarted is often
        /// remembered at its old place by some.
        var alternative: Endpoint?
        var isLastChance = false
        /// Who named it first; `nil`: nobody had to.
        var namer: Identity?
        /// There is more than one peer's word that it is there.
        var isVouchedFor = false

        /// Late, and only one peer says that it is there at all: nothing is waited for that it may bring.
        /// Whoever names those who are absent would else make every lookup wait for their time-outs.
        var isGhost: Bool { state.isSlow && !isVouchedFor }

        func precedes(_ other: Candidate) -> Bool {
            (distance, contact.identity) < (other.distance, other.contact.identity)
        }
    }
}

extension Lookup.Candidate.State {
    var isHeard: Bool { if case .heard = self { true } else { false } }
    var isTaken: Bool { if case .taken = self { true } else { false } }
    var isInFlight: Bool { if case .inFlight = self { true } else { false } }
    var isSlow: Bool { if case .slow = self { true } else { false } }
    var isFailed: Bool { if case .failed = self { true } else { false } }
    var isAnswered: Bool { if case .answered = self { true } else { false } }
    var isBearing: Bool { if case .answered(bearing: true) = self { true } else { false } }
    var isEmptyHanded: Bool { if case .answered(bearing: false) = self { true } else { false } }
    /// Whether others are asked in its place. A slow one must not keep them from it.
    var isPassedOver: Bool { isFailed || isTaken || isSlow }
    /// Whether it shows that the replicas are not simply the nearest contacts known.
    var isDetour: Bool { isSlow || isFailed || isEmptyHanded }
}
