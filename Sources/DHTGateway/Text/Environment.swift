extension [String: String] {
    /// A variable of an environment; one that is empty is not given.
    package func given(_ name: String) -> String? { self[name].flatMap { $0.isEmpty ? nil : $0 } }
}
