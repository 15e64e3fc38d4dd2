import DHTCore

/// How a value that is, or was, kept alive stands.
package struct RenewalState: Hashable, Sendable {
    package enum Phase: Hashable, Sendable {
        /// Renewed in time; or failed this often in a row.
        case kept(failures: UInt32)
        /// Kept no more: somebody else wrote a newer value under the key.
        case superseded(by: Identity)
        /// Kept no more: its lifetime was over before it could be renewed.
        case ended
    }

    package var value: RenewedValue
    package var phase: Phase
}

/// News for the operator of values that are kept alive: how many keys since the last time.
package struct RenewalNews: Hashable, Sendable {
    /// Keys that could not be renewed, and were not told of within the hour.
    package var failing = 0
    package var superseded = 0
    package var ended = 0

    package var isEmpty: Bool { self == RenewalNews() }
}

/// Why a value cannot be kept alive.
package enum KeepingRefusal: Hashable, Sendable {
    /// Another lifetime, of as many seconds at least, would do.
    case lifetime(atLeast: UInt32)
    /// As many keys are kept as can be.
    case capacity
}
