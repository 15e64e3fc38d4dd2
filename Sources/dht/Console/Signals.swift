import Dispatch
import Glibc
import Synchronization

/// Signals as calls on a queue of their own.
enum Signals {
    /// The exit code of a program that ^C ended.
    static let exitCode: Int32 = 130

    private static let queue = DispatchQueue(label: "signals")
    private static let sources = Mutex<[Int32: any DispatchSourceSignal]>([:])

    /// From now on `signal` calls `body`, in place of what it did before.
    static func on(_ signal: Int32, _ body: @escaping @Sendable () -> Void) {
        sources.withLock { sources in
            // Before the source is made, and once: making it puts a handler of its own in this one's place.
            if sources[signal] == nil { Glibc.signal(signal, SIG_IGN) }
            let source = DispatchSource.makeSignalSource(signal: signal, queue: queue)
            source.setEventHandler(handler: body)
            source.resume()
            sources.updateValue(source, forKey: signal)?.cancel()
        }
    }

    /// From now on `signal` ends the program with `code`, whatever is registered with `atexit` done first.
    static func exits(on signal: Int32, with code: Int32) {
        on(signal) { ProcessExit.exit(code) }
    }

    /// ^C ends the program with 130.
    static func exitOnInterrupt() {
        exits(on: SIGINT, with: exitCode)
    }
}
