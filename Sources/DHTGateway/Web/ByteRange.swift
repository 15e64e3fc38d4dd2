/// The part of a value that a request wants: the header `Range` (RFC 9110, section 14).
enum ByteRange: Hashable {
    /// There is no such header, or one that may be passed over: of another unit, of several ranges, or
    /// malformed.
    case whole
    case part(Range<Int>)
    /// Nothing of the value is in it.
    case unsatisfiable

    /// Of a value of so many bytes.
    init(_ header: String?, length: Int) {
        self = .whole
        guard let header, header.lowercased().hasPrefix("bytes=") else { return }
        let bounds = header.drop { $0 != "=" }.dropFirst().split(
            separator: "-",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        guard bounds.count == 2 else { return }
        let (first, last) = (Self.number(bounds[0]), Self.number(bounds[1]))
        switch (first, last) {
        case (let first?, let last?):
            guard first <= last else { return }
            self = first < length ? .part(first..<min(last, length - 1) + 1) : .unsatisfiable
        case (let first?, nil):
            guard bounds[1].isEmpty else { return }
            self = first < length ? .part(first..<length) : .unsatisfiable
        case (nil, let count?):
            guard bounds[0].isEmpty else { return }
            self = count > 0 && length > 0 ? .part(max(0, length - count)..<length) : .unsatisfiable
        case (nil, nil): return
        }
    }

    /// Of digits alone; more than fit are as good as very many.
    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text) ?? .max
    }
}
