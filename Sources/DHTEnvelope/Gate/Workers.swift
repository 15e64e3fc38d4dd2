// The work of the gate on many datagrams at once, while it stands still.

/// Does a piece of work for each number below a count, in any order and on any threads, and returns when all
/// is done.
package typealias Workers = (_ count: Int, _ work: @Sendable (Int) -> Void) -> Void

extension Gate {
    /// Opens all of a batch that are to be opened: see ``open(_:)``.
    package func open(_ batch: inout [Examination], by workers: Workers) {
        let count = batch.count
        unsafe batch.withUnsafeMutableBufferPointer { batch in
            // Each piece of work has an element of its own.
            nonisolated(unsafe) let elements = unsafe batch
            workers(count) { index in
                guard case .opening(var opening) = unsafe elements[index] else { return }
                open(&opening)
                unsafe elements[index] = .opening(opening)
            }
        }
    }

    /// The bytes of datagrams to be sent; `nil` in the place of one that is lost: see ``finish(_:)``.
    package func finish(_ outgoing: [Outgoing], by workers: Workers) -> [[UInt8]?] {
        var finished = [[UInt8]?](repeating: nil, count: outgoing.count)
        unsafe finished.withUnsafeMutableBufferPointer { finished in
            // Each piece of work has an element of its own.
            nonisolated(unsafe) let elements = unsafe finished
            workers(outgoing.count) { index in unsafe elements[index] = finish(outgoing[index]) }
        }
        return finished
    }
}
