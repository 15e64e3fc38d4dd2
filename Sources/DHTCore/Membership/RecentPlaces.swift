/// Where peers lately were, one place of each family: what was done about them there is not done again so
/// soon. Bounded by forgetting what is not recent any more.
struct RecentPlaces: Sendable {
    static let limit = 4096

    let interval: Interval
    private struct Key: Hashable {
        let identity: Identity
        let family: Endpoint.Family

        init(_ contact: Contact) { (identity, family) = (contact.identity, contact.endpoint.family) }
    }

    private var places: [Key: (endpoint: Endpoint, at: Instant)] = [:]

    init(interval: Interval) { self.interval = interval }

    var count: Int { places.count }

    /// `false` if there is no room to remember it.
    @discardableResult
    mutating func record(_ contact: Contact, at now: Instant) -> Bool {
        if places.count >= Self.limit {
            places = places.filter { now.since($0.value.at) < interval }
            guard places.count < Self.limit else { return false }
        }
        places[Key(contact)] = (contact.endpoint, now)
        return true
    }

    func holds(_ contact: Contact, at now: Instant) -> Bool {
        guard let last = places[Key(contact)] else { return false }
        return last.endpoint == contact.endpoint && now.since(last.at) < interval
    }
}
