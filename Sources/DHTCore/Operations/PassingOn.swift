/// How far a put has come with the members out of our reach.
struct PassingOn: Sendable {
    /// Members that are asked, one after the other.
    static let attemptLimit = 3

    private(set) var tried: Set<Identity> = []
    private(set) var isUnderWay = false
    private(set) var isDone = false
    /// The verdict of a member that passed the record on, in the name of nodes that would not take it; `nil`:
    /// none.
    private(set) var objection: (Identity, PutOutcome.Verdict)?
    /// The families of members that do not have the record, once that is known.
    private(set) var unreached: Endpoint.Families = []

    /// Whether somebody may be asked now.
    var isOpen: Bool { !isUnderWay && !isDone && tried.count < Self.attemptLimit }

    /// Members of these families are out of our reach.
    mutating func record(unreached families: Endpoint.Families) { unreached = families }

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
