/// One event's turn at a machine: the time at which it happens, and what its driver is to do because of it.
///
/// Every method of a machine that may bring actions takes one, as its last argument.
@usableFromInline package struct Turn<Action: Sendable>: Sendable {
    @usableFromInline package let now: Now
    /// To be performed in this order.
    @usableFromInline package var actions: [Action]

    @inlinable package init(at now: Now, actions: [Action] = []) { (self.now, self.actions) = (now, actions) }
}
