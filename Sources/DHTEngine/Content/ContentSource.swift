import DHTCore

/// A peer that may have some content, and how it fares with the requests it gets.
struct ContentSource: Sendable {
    /// Whether the peer is asked.
    enum SourceState: Hashable, Sendable {
        case asked
        /// The peer left too many requests unanswered.
        case silent
        /// The peer lacked a part that it was asked for.
        case without
        /// The peer gave a part that is not what it must be.
        case liar
    }

    var contact: Contact
    /// Requests that may be under way at once.
    private var window = Self.firstWindow
    /// The width beyond which the window grows slowly.
    private var threshold = Double.infinity
    var inFlight = 0
    /// Requests in a row that were given up.
    private var failures = 0
    var state = SourceState.asked
    /// When the peer last answered.
    private var heard: Instant?
    /// A request has waited longer than answers take at present, and nothing was heard since it was sent:
    /// others are asked instead, as long as there are any.
    private(set) var isLate = false

    private static let firstWindow = 8.0
    private static let longestWindow = 64.0
    private static let failureLimit = 4

    init(contact: Contact) { self.contact = contact }

    var isOut: Bool { state != .asked }
    var hasRoom: Bool { !isOut && Double(inFlight) < window }
    /// May be asked, and answers as far as is known.
    var isPrompt: Bool { !isOut && !isLate }

    /// The peer is said to have the content; `isOffer`: by itself.
    mutating func named(_ contact: Contact, isOffer: Bool) {
        switch state {
        case .liar: return
        case .without where !isOffer: return
        case .silent, .without:
            state = .asked
            failures = 0
            isLate = false
        case .asked: break
        }
        self.contact = contact
    }

    mutating func heard(at now: Instant) {
        heard = now
        isLate = false
    }

    /// The answer to a request that was sent at that time is overdue.
    mutating func overdue(sent: Instant) {
        // Other requests were answered meanwhile: this one, or its answer, was lost.
        if let heard, heard > sent { return }
        isLate = true
    }

    mutating func answered(isClear: Bool) {
        inFlight -= 1
        failures = 0
        guard isClear else { return narrow() }
        window += window < threshold ? 1 : 1 / window
        window = min(window, Self.longestWindow)
    }

    mutating func failed() {
        inFlight -= 1
        failures += 1
        if failures >= Self.failureLimit, state == .asked { state = .silent }
        narrow()
    }

    private mutating func narrow() {
        threshold = max(window / 2, 2)
        window = threshold
    }
}

/// Peers that gave wrong parts of content, each with that content: for a while such a peer is not asked for
/// that content again, not even when the reading of it begins anew.
package struct ContentLiars: Sendable {
    package static let memory = Interval.minutes(10)
    static let capacity = 1024

    private struct Lie: Hashable {
        let content: Digest
        let identity: Identity
    }

    private var lies: [Lie: Instant] = [:]

    var count: Int { lies.count }

    mutating func record(_ identity: Identity, of content: Digest, at now: Instant) {
        let lie = Lie(content: content, identity: identity)
        if lies.count >= Self.capacity, lies[lie] == nil {
            lies = lies.filter { now.since($0.value) < Self.memory }
            if lies.count >= Self.capacity, let oldest = lies.min(by: { $0.value < $1.value }) {
                lies[oldest.key] = nil
            }
        }
        lies[lie] = now
    }

    func contains(_ identity: Identity, of content: Digest, at now: Instant) -> Bool {
        lies[Lie(content: content, identity: identity)].map { now.since($0) < Self.memory } ?? false
    }
}
