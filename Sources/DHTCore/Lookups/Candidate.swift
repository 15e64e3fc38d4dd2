extension Lookup {
    /// A contact a lookup heard of, and how it stands.
    struct Candidate: Sendable {
        enum State: Sendable {
            case heard
            /// Another path asks the contact.
            case taken
            case inFlight
            case slow
            case answered(bearing: Bool)
            case failed
        }

        var contact: Contact
        let distance: Distance
        /// Answers it took to hear of the contact, and one.
        let hop: Int
        var state = State.heard
        /// Another endpoint the contact is said to have, tried once if the first fails: a peer that restarted
        /// is often remembered at its old endpoint by some.
        var alternative: Endpoint?
        var isLastChance = false
        /// The peer that named the contact first; `nil`: we knew the contact ourselves.
        var namer: Identity?
        /// There is more than one peer's word that the contact is there.
        var isVouchedFor = false

        /// Late, and only one peer says that the contact is there at all: its answer is not waited for. Else
        /// a peer that names absent contacts would make every lookup wait for their time-outs.
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
    /// Whether others are asked in the candidate's place. A slow candidate must not hold them up.
    var isPassedOver: Bool { isFailed || isTaken || isSlow }
    /// Whether the state shows that the replicas are not simply the nearest contacts known.
    var isDetour: Bool { isSlow || isFailed || isEmptyHanded }
}
