import DHTCore

/// Which peers are being asked to know us, and the requests that wait for it.
///
/// A peer that does not know our process answers little and changes nothing, and one that may have started
/// anew does not know it: so one request goes ahead, and what it brings serves all others.
/// `docs/protocol.md`, section 5.
struct Openings: Sendable {
    private struct Opening: Sendable {
        let call: CallID
        /// In the order in which they came.
        var held: [CallID] = []
    }

    private var openings: [Contact: Opening] = [:]

    var count: Int { openings.count }

    /// Whether this call may go; else it is held until somebody there answers, or nobody is waited for any
    /// more.
    mutating func begin(_ call: CallID, at contact: Contact) -> Bool {
        guard let opening = openings[contact] else {
            openings[contact] = Opening(call: call)
            return true
        }
        guard opening.call != call else { return true }
        if !opening.held.contains(call) { openings[contact]?.held.append(call) }
        return false
    }

    /// Somebody there answered: these may go.
    mutating func opened(_ contact: Contact) -> [CallID] {
        openings.isEmpty ? [] : openings.removeValue(forKey: contact)?.held ?? []
    }

    /// The call is over. Those it held look again when they are next due.
    mutating func end(_ call: CallID, at contact: Contact) {
        guard !openings.isEmpty else { return }
        guard openings[contact]?.call == call else {
            openings[contact]?.held.removeAll { $0 == call }
            return
        }
        openings[contact] = nil
    }
}
