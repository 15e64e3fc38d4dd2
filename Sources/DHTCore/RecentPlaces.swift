/// Where peers lately were, one place each: what was done about them there is not done again so soon. Bounded
/// by forgetting what is not recent any more.
struct RecentPlaces: Sendable {
    static let limit = 4096

    let interval: Span
    private var places: [Identity: (endpoint: Endpoint, at: Instant)] = [:]

    init(interval: Span) { self.interval = interval }

    var count: Int { places.count }

    /// `false` if there is no room to remember it.
    @discardableResult
    mutating func note(_ contact: Contact, at now: Instant) -> Bool {
        if places.count >= Self.limit {
            places = places.filter { now.since($0.value.at) < interval }
            guard places.count < Self.limit else { return false }
        }
        places[contact.identity] = (contact.endpoint, now)
        return true
    }

    func holds(_ contact: Contact, at now: Instant) -> Bool {
        guard let last = places[contact.identity] else { return false }
        return last.endpoint == contact.endpoint && now.since(last.at) < interval
    }
}
