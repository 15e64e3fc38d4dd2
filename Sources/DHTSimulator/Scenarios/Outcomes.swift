import DHTCore
import DHTEngine

extension Outcome {
    /// The part of an outcome that the digest covers, in one word.
    var summary: UInt64 {
        switch self {
        case .put(let record, let outcome):
            1 << 56 | UInt64(outcome.stored) << 48 ^ record.revision.rawValue >> 8
        case .conflict(let record): 2 << 56 | (record?.revision.rawValue ?? 0) >> 8
        case .nothingToDelete: 3 << 56
        case .got(let outcome):
            outcome.found.reduce(4 << 56 | UInt64(outcome.asked) << 48 | UInt64(outcome.answered) << 40) {
                SeededRandom.mix($0 ^ $1.record.revision.rawValue ^ UInt64($1.copies))
            }
        case .pinged(let span): 5 << 56 | (span?.nanoseconds ?? 0)
        case .left: 6 << 56
        case .fetched(let bytes): 7 << 56 | UInt64(bytes?.count ?? 0)
        case .unstorable: 8 << 56
        case .unkeepable: 9 << 56
        }
    }

    /// The outcome in a few words.
    var text: String {
        switch self {
        case .put(let record, let outcome):
            "\(record.text) for \(record.lifetime) s stored at \(outcome.stored) of "
                + "\(outcome.replicas.count)"
        case .conflict(let record): "conflict with \(record.map { "\($0.revision.rawValue)" } ?? "nothing")"
        case .nothingToDelete: "nothing to delete"
        case .fetched(let bytes): "fetched \(bytes.map { "\($0.count) bytes" } ?? "nothing")"
        case .unstorable(let refusal): "not stored: \(refusal)"
        case .unkeepable(let refusal): "not kept: \(refusal)"
        case .got(let outcome):
            "found \(outcome.found.map { "\($0.record.revision.rawValue)×\($0.copies)" })"
                + ", \(outcome.answered) of \(outcome.asked) answered"
        case .pinged(let span): span.map { "answered in \($0.milliseconds) ms" } ?? "no answer"
        case .left: "left"
        }
    }
}

extension Record {
    /// Its key and its revision.
    var text: String { "\(String(decoding: key, as: UTF8.self)) revision \(revision.rawValue)" }
}
