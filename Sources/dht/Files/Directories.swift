import DHTGateway
import Glibc

/// Directories of our own.
enum Directories {
    /// The place of what programs of this user keep, and ours in it; it may be missing. `nil`: there is none.
    static func state(_ environment: [String: String]) -> String? {
        let ours = environment.given("HOME").map { $0 + "/.local/state" }
        return (environment.given("XDG_STATE_HOME") ?? ours).map { $0 + "/dht" }
    }

    /// Makes a directory and those it is in, for nobody else's eyes; whoever needs what cannot be made
    /// complains.
    static func make(_ path: String) {
        for end in path.indices where path[end] == "/" && end != path.startIndex {
            unsafe mkdir(String(path[..<end]), 0o700)
        }
        unsafe mkdir(path, 0o700)
    }
}
