/// The form of the log of a node.
package enum LogFormat: String, CaseIterable, Sendable {
    case text
    /// An object a line.
    case json
    /// Entries of the system's journal, with fields.
    case journal

    /// `nil`: it depends on where standard error leads.
    package init?(_ settings: NodeSettings) {
        guard let word = settings.text(.logFormat) else { return nil }
        self.init(rawValue: word)
    }
}
