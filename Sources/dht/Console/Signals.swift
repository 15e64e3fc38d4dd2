import Dispatch
import Glibc
import Synchronization

/// Signals as calls on a queue of their own.
enum Signals {
    /// The exit code of a program that ^C ended.
    static let exitCode: Int32 = 130

    private static let queue = DispatchQueue(label: "signals")

    private struct Listener {
        let source: any DispatchSourceSignal
        var body: @Sendable () -> Void
    }

    private static let listeners = Mutex<[Int32: Listener]>([:])

    /// From now on `signal` calls `body`, in place of what it did before.
    static func on(_ signal: Int32, _ body: @escaping @Sendable () -> Void) {
        listeners.withLock { listeners in
            // One source a signal: from one to the next it might get lost.
            guard listeners[signal] == nil else {
                listeners[signal]?.body = body
                return
            }
            // Before the source is made: making it puts a handler of its own in this one's place.
            Glibc.signal(signal, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: signal, queue: queue)
            source.setEventHandler { action(of: signal)?() }
            listeners[signal] = Listener(source: source, body: body)
            source.resume()
        }
    }

    private static func action(of signal: Int32) -> (@Sendable () -> Void)? {
        listeners.withLock { $0[signal]?.body }
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
