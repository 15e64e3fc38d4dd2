import NIOCore

/// For whom a connection waits, and how long it may.
struct ConnectionPhase {
    enum Wait: Hashable {
        /// The headers of its first request.
        case head
        case body
        /// The server is about to answer, or answers.
        case answer
        /// The headers of a further request.
        case next
        /// It was answered before its body had come, and is to go.
        case farewell
    }

    private(set) var wait = Wait.head
    private var unanswered = 0
    private var isReading = false

    /// Nothing would be lost if it were closed.
    var isIdle: Bool { wait == .head || wait == .next }

    /// The answer that begins is one to a request that has not come whole: no other can follow.
    var answersEarly: Bool { isReading && unanswered == 1 }

    mutating func headCame() {
        unanswered += 1
        isReading = true
        if wait != .farewell { wait = .body }
    }

    mutating func bodyEnded() {
        isReading = false
        if wait != .farewell { wait = .answer }
    }

    mutating func answerEnded() {
        unanswered -= 1
        switch (unanswered, isReading) {
        case (0, true): wait = .farewell
        case (0, false): wait = .next
        default: wait = isReading ? .body : .answer
        }
    }

    /// `nil`: as long as the server takes.
    func time(_ limits: WebLimits) -> TimeAmount? {
        switch wait {
        case .head: limits.headTime
        case .body: limits.bodyTime
        case .answer: nil
        case .next: limits.idleTime
        case .farewell: limits.farewellTime
        }
    }
}
