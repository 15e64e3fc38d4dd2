/// Path and query of a request.
struct WebTarget: Hashable {
    /// As it came.
    let path: Substring
    private var query: [String: [UInt8]] = [:]

    init(_ text: String) throws(Problem) {
        path = text.prefix { $0 != "?" }
        for part in text.dropFirst(path.count + 1).split(separator: "&") {
            let name = part.prefix { $0 != "=" }
            guard let known = PercentEncoding.decode(name),
                let value = PercentEncoding.bytes(part.dropFirst(name.count + 1))
            else { throw Problem(.badRequest, .invalidArgument, "the query is not percent-encoded") }
            guard query.updateValue(value, forKey: known) == nil else {
                throw Problem(.badRequest, .invalidArgument, "the parameter \"\(known)\" comes twice")
            }
        }
    }

    /// The text of a parameter.
    subscript(name: String) -> String? {
        get throws(Problem) {
            guard let bytes = query[name] else { return nil }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw Problem(.badRequest, .invalidArgument, "\(name) is no UTF-8")
            }
            return text
        }
    }

    /// A misspelt parameter must not pass for an absent one.
    func refuseUnknown(besides known: [String]) throws(Problem) {
        for name in query.keys.sorted() where !known.contains(name) {
            throw Problem(.unknownParameter(name, among: known))
        }
    }
}
