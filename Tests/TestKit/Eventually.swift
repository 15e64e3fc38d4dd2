import Foundation

package struct NeverHappened: Error, CustomStringConvertible {
    private let what: String

    package init(_ what: String) { self.what = what }

    package var description: String { "never happened: \(what)" }
}

/// Waits until something is so; what it waits for has no other sign. Not for asynchronous tests.
@_disfavoredOverload
package func eventually(
    _ what: @autoclosure () -> String,
    within seconds: Double = 30,
    _ condition: () throws -> Bool
) throws {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
        if try condition() { return }
        usleep(20_000)
    }
    throw NeverHappened(what())
}

/// Waits until something is so, for these seconds, and up to ten times as long where looking takes its time;
/// the thread is free meanwhile.
package func eventually(
    _ what: @autoclosure () -> String,
    within seconds: Int = 30,
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(10 * seconds)
    for _ in 0..<seconds * 100 where ContinuousClock.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw NeverHappened(what())
}
