import DHTCore

/// A key whose value its author's node keeps alive: what a driver stores so that the next process does too.
package struct KeptKey: Hashable, Sendable {
    /// Seconds: half of it holds a renewal that nobody answers, and another one.
    package static let leastLifetime: UInt32 = 30

    package var key: [UInt8]
    /// Seconds, of each revision.
    package var lifetime: UInt32
    /// The last one written.
    package var revision: Revision

    package init(key: [UInt8], lifetime: UInt32, revision: Revision) {
        (self.key, self.lifetime, self.revision) = (key, lifetime, revision)
    }

    /// Unix milliseconds.
    var expiry: UInt64 { revision.unixMilliseconds +| UInt64(lifetime) *| 1000 }
    /// When it is to be renewed, in Unix milliseconds.
    var due: UInt64 { revision.unixMilliseconds +| UInt64(lifetime) *| 500 }
}

/// How a value that is, or was, kept alive stands.
package struct KeptState: Hashable, Sendable {
    package enum Phase: Hashable, Sendable {
        /// Renewed in time; or this often in a row not.
        case kept(failures: UInt32)
        /// Kept no more: somebody else wrote a newer value under the key.
        case superseded(by: Identity)
        /// Kept no more: its lifetime was over before it could be renewed.
        case ended
    }

    package var key: KeptKey
    package var phase: Phase
}

/// What the operator is to hear of values that are kept alive: how many keys since the last time.
package struct KeptNews: Hashable, Sendable {
    /// Could not be renewed, and were not told of within the hour.
    package var failing = 0
    package var superseded = 0
    package var ended = 0

    package var isEmpty: Bool { self == KeptNews() }
}

/// Why a value cannot be kept alive.
package enum KeepingRefusal: Hashable, Sendable {
    /// Another lifetime, of as many seconds at least, would do.
    case lifetime(atLeast: UInt32)
    /// As many keys are kept as can be.
    case capacity
}
