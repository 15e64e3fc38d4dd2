/// One event's turn at a machine: the time at which it happens, and what its driver is to do because of it.
///
/// Every method of a machine that may bring actions takes one, as its last argument.
package struct Turn<Action: Sendable>: Sendable {
    package let now: Now
    /// To be performed in this order.
    package var actions: [Action]

    package init(at now: Now, actions: [Action] = []) { (self.now, self.actions) = (now, actions) }
}
