import DHTCore
import DHTEngine
import NIOCore
import Synchronization

/// The outcome of asking for the next piece of a value.
enum Pulled: Sendable {
    case piece([UInt8])
    /// No piece is left.
    case end
    /// No node that has the piece can be reached.
    case unreachable
    /// The node stopped, or the read was given up.
    case stopped
}

/// A value piece by piece, so that little of a long one is here at any time: it is brought no faster than it
/// is taken. One task reads it.
package final class ValueReader: Sendable {
    private enum State: Sendable {
        case unbegun(Record, [Contact])
        case begun(OperationID)
        case over
    }

    /// Bytes.
    package let length: Int
    private let loop: NodeLoop
    private let state: Mutex<State>

    init(_ record: Record, from contacts: [Contact], _ loop: NodeLoop) {
        length = record.reference.map { Int($0.length) } ?? record.value.count
        self.loop = loop
        state = Mutex(.unbegun(record, contacts))
    }

    deinit { cancel() }

    /// The next piece, 64,000 bytes but for the last; `nil` after that one.
    package func next() async throws -> [UInt8]? {
        let id: OperationID
        switch state.withLock({ $0 }) {
        case .over: return nil
        case .begun(let begun): id = begun
        case .unbegun(let record, let contacts):
            guard record.reference != nil else {
                state.withLock { $0 = .over }
                return Array(record.value)
            }
            id = await loop.beginReading(record, from: contacts)
            state.withLock { $0 = .begun(id) }
        }
        switch await loop.pull(id) {
        case .piece(let bytes): return bytes
        case .end:
            state.withLock { $0 = .over }
            return nil
        case .unreachable:
            state.withLock { $0 = .over }
            throw DHTError(
                .unreachable,
                "the value has \(describe(byteCount: length)), and nobody who has them answers. Try again"
            )
        case .stopped:
            try Task.checkCancellation()
            throw DHTError(.stopped, "the node stopped before the value was read")
        }
    }

    /// The rest is not wanted.
    package func cancel() {
        let last = state.withLock { state in
            defer { state = .over }
            return state
        }
        if case .begun(let id) = last { loop.endReading(id) }
    }
}

/// A value that was found and not read yet.
package struct OpenedValue: Sendable {
    package let author: Identity
    package let revision: Revision
    /// Unix milliseconds.
    package let expires: UInt64
    /// Nodes that returned this very record, this one included.
    package let copies: Int
    package let reader: ValueReader
}

/// As ``GetResult``, of values to be read.
package struct OpenedResult: Sendable {
    package let values: [OpenedValue]
    package let answered: Int
    package let asked: Int
    package let isIsolated: Bool
    /// As ``GetResult/ahead``.
    package let secondsAhead: UInt64?
}

extension GetOutcome {
    /// Seconds by which a record is ahead of our clock, and for that not shown; `nil` if none is.
    var secondsAhead: UInt64? {
        ahead.map { ($0.revision.unixMilliseconds -| SystemClock.now.unixMilliseconds) / 1000 }
    }
}

extension DHTNode {
    /// Finds the newest value under a key, or every author's, and leaves it to the caller when it is read.
    package func open(_ key: [UInt8], options: GetOptions, isExhaustive: Bool) async throws -> OpenedResult {
        let (outcome, company) = try await find(
            key,
            options: options,
            isExhaustive: isExhaustive,
            until: deadline(after: options.timeout)
        )
        return OpenedResult(
            values: outcome.found.filter { !$0.record.isTombstone && Array($0.record.key) == key }.map {
                OpenedValue(
                    author: $0.record.author,
                    revision: $0.record.revision,
                    expires: $0.record.expiry,
                    copies: $0.copies,
                    reader: ValueReader($0.record, from: outcome.contacts, loop)
                )
            },
            answered: outcome.answered,
            asked: outcome.asked,
            isIsolated: company?.isIsolated ?? false,
            secondsAhead: outcome.secondsAhead
        )
    }
}
