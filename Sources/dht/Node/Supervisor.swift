import DHTGateway
import Glibc

/// The service manager that started this process, if it wants to be told how that goes: sd_notify(3).
struct Supervisor: Sendable {
    /// The socket's path; `@` before an abstract one.
    private let address: String
    /// The process is taken for hung when it was silent for so long; `nil`: nobody waits for that.
    let watchdogInterval: Duration?

    /// `nil`: there is none.
    init?(environment: [String: String]) {
        guard let address = environment["NOTIFY_SOCKET"], address.hasPrefix("/") || address.hasPrefix("@")
        else {
            return nil
        }
        self.address = address
        let isForUs = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdogInterval = isForUs && microseconds > 0 ? .microseconds(microseconds) : nil
    }

    /// Commands work; the text is for people.
    func ready(_ text: String) { tell("READY=1\nSTATUS=\(printable(text))") }

    func status(_ text: String) { tell("STATUS=\(printable(text))") }

    /// To be followed by ``ready(_:)``.
    func reloading() {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        tell("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)")
    }

    func stopping() { tell("STOPPING=1\nSTATUS=hands its records over") }

    func isAlive() { tell("WATCHDOG=1") }

    /// Nobody is kept from working by a manager that does not listen.
    private func tell(_ text: String) { _ = Datagram.send(Array(text.utf8), to: address) }
}
