import DHTCore

/// A contact's clock beside ours, and its view of us, as its last answer to PING said. For operators: any
/// of it may be a lie, and nothing is decided by it.
package struct PeerView: Hashable, Sendable {
    /// The peer's clock less ours, in milliseconds, ours as it was halfway between request and answer. If the
    /// peer tells the truth, it is wrong by half of that time at most.
    package let clockDifference: Int64
    /// How far the peer counts on us; `nil`: we are not in its routing table.
    package let state: Reachability.Grade?
    /// How long before the PING we last answered the peer, in whole seconds; `nil`: never.
    package let lastAnswered: Interval?
    /// The peer's smoothed round trip to us; `nil`: it has none.
    package let roundTrip: Interval?
    /// When the answer came.
    package let taken: Instant

    /// `wait`: how long the answer took.
    init(_ view: Response.View, after wait: Interval, at now: Now) {
        let own = now.unixMilliseconds -| wait.milliseconds / 2
        let (ahead, behind) = (view.clock -| own, own -| view.clock)
        clockDifference = behind == 0 ? Int64(clamping: ahead) : -Int64(clamping: behind)
        (state, lastAnswered, roundTrip) = (view.state, view.lastAnswered, view.roundTrip)
        taken = now.instant
    }
}

/// The last view of each contact.
struct PeerViews: Sendable {
    /// More than a routing table holds.
    static let capacity = 4096

    private var views: [Identity: PeerView] = [:]

    var count: Int { views.count }
    subscript(peer: Identity) -> PeerView? { views[peer] }

    /// Whether there is no room for one more: all but the contacts' are to be forgotten.
    var isFull: Bool { views.count >= Self.capacity }

    /// A contact told its view.
    mutating func record(_ view: PeerView, of peer: Identity) { views[peer] = view }

    mutating func forget(where isGone: (Identity) -> Bool) { views = views.filter { !isGone($0.key) } }

    mutating func forget(allBut contacts: Set<Identity>) {
        views = views.filter { contacts.contains($0.key) }
    }
}
