/// A lookup as it went: each question that was asked, in the order of asking, and what came of it.
package struct LookupTrace: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        /// No answer came before the lookup was over.
        case pending
        /// These contacts, nearer to the target or as near as the peer knows any.
        case contacts([Contact])
        /// Records, of so many in all.
        case records(Int)
        /// The peer was asked in vain.
        case silent
        /// The answer was none to the question.
        case misfit
    }

    package struct Step: Hashable, Sendable {
        package let contact: Contact
        package let asked: Instant
        /// When it was over; `nil` if it never was.
        package fileprivate(set) var ended: Instant?
        package fileprivate(set) var outcome = Outcome.pending
    }

    package let began: Instant
    package private(set) var steps: [Step] = []

    init(began: Instant) { self.began = began }

    mutating func asks(_ contact: Contact, at now: Instant) {
        steps.append(Step(contact: contact, asked: now))
    }

    /// The last question to this peer is over; an answer that comes once more changes nothing.
    mutating func ended(_ peer: Identity, _ outcome: Outcome, at now: Instant) {
        guard let index = steps.lastIndex(where: { $0.contact.identity == peer }), steps[index].ended == nil
        else { return }
        (steps[index].ended, steps[index].outcome) = (now, outcome)
    }
}

extension LookupTrace.Outcome {
    init(_ response: Response) {
        self =
            switch response {
            case .nodes(let contacts): .contacts(contacts)
            case .values(let records, _, let closer) where records.isEmpty: .contacts(closer)
            case .values(_, let total, _): .records(Int(total))
            case .pong, .stored, .conflict, .refused, .wanted, .chunk, .roster, .welcome, .absent, .retry:
                .misfit
            }
    }
}
