/// How far a contact can be counted on.
package enum ContactGrade: Hashable, Sendable {
    /// Answered its last request.
    case good
    /// Left its last request unanswered; still used.
    case questionable
    /// Left several requests in a row unanswered; used no more, and gives way to a newcomer.
    case bad
}
