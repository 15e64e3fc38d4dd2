/// Names an operation until it is done.
package enum OperationID: Hashable, Comparable, Sendable {
    /// Somebody waits for it. Numbered by the driver.
    case user(UInt64)
    /// A kept value is signed anew. Numbered by the engine.
    case renewal(UInt64)
    /// A replica's put: it republishes a record, or passes it on. Numbered by the core.
    case maintenance(UInt64)

    /// Among those of its kind.
    package var number: UInt64 {
        switch self {
        case .user(let number), .renewal(let number), .maintenance(let number): number
        }
    }

    var isMaintenance: Bool { if case .maintenance = self { true } else { false } }
}
