/// Names something a user asked for until it is done. Given by the driver.
package struct OperationID: Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

extension OperationID {
    /// Names of the core's own puts: the upper half of all numbers. Drivers count from the lower end.
    static func own(_ name: UInt64) -> OperationID { OperationID(rawValue: name | 1 << 63) }
    var isOwn: Bool { rawValue >> 63 == 1 }
}
