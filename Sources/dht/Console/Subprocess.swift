import Glibc

/// Another program of this machine.
struct Subprocess {
    private let path: String

    /// The program of that name on the path; `nil`: there is none.
    init?(_ name: String) {
        let folders = GlobalOptions.environment["PATH"] ?? ""
        let places = folders.split(separator: ":").map { "\($0)/\(name)" }
        guard let found = places.first(where: { unsafe access($0, X_OK) == 0 }) else { return nil }
        path = found
    }

    /// Runs it to its end, with our own streams; whether it ended well.
    func run(_ arguments: [String]) -> Bool {
        var process: pid_t = 0
        let result = unsafe withCStrings([path] + arguments) { words in
            unsafe posix_spawn(&process, path, nil, nil, words, environ)
        }
        guard result == 0 else { return false }
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0 { guard errno == EINTR else { return false } }
        return status == 0
    }
}
