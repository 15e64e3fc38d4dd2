/// How far a put has come with those out of our reach.
struct PassingOn: Sendable {
    /// Members that are asked, one after the other.
    static let attemptLimit = 3

    private(set) var tried: Set<Identity> = []
    private(set) var isUnderWay = false
    private(set) var isDone = false
    /// What one said who passed it on, in the name of those that would not take it.
    private(set) var objection: (Identity, PutOutcome.Verdict)?
    /// The families of those who do not have it, once that is known.
    private(set) var unreached: Endpoint.Families = []

    /// Whether somebody may be asked now.
    var isOpen: Bool { !isUnderWay && !isDone && tried.count < Self.attemptLimit }

    /// Members of these families are out of our reach.
    mutating func leave(_ families: Endpoint.Families) { unreached = families }

    mutating func begin(_ bridge: Identity) {
        tried.insert(bridge)
        isUnderWay = true
    }

    mutating func ended(_ bridge: Identity, _ verdict: PutOutcome.Verdict) {
        isUnderWay = false
        switch verdict {
        case .stored:
            isDone = true
            unreached = []
        case .conflict:
            isDone = true
            objection = (bridge, verdict)
        case .refused, .timeout: break
        }
    }
}
