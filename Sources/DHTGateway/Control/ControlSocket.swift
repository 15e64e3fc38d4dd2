import DHTCrypto
import Glibc
import SecureDHT

/// Where a node's control socket is, and what stands there.
package enum ControlSocket {
    /// A place to look at: the path, and how people know it.
    package struct Candidate: Hashable, Sendable {
        /// `nil`: the variable it hangs on is not set.
        package var path: String?
        package var label: String

        package init(path: String?, label: String) { (self.path, self.label) = (path, label) }
    }

    /// The longest path the system takes for a socket, in bytes: `sun_path` less its terminator.
    package static let maximumPathLength = UnixAddress.longestPath

    /// The search order: the flag, else `DHT_SOCKET`, else `$XDG_RUNTIME_DIR/dht/dht.sock`, else
    /// `/run/dht/dht.sock`.
    package static func candidates(flag: String?, environment: [String: String]) -> [Candidate] {
        if let flag { return [Candidate(path: flag, label: flag)] }
        if let path = environment.given("DHT_SOCKET") {
            return [Candidate(path: path, label: "\(path) (DHT_SOCKET)")]
        }
        let runtime = environment["XDG_RUNTIME_DIR"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        return [
            Candidate(path: runtime.map { "\($0)/dht/dht.sock" }, label: "$XDG_RUNTIME_DIR/dht/dht.sock"),
            Candidate(path: "/run/dht/dht.sock", label: "/run/dht/dht.sock"),
        ]
    }

    /// Makes room for a socket at `path`: its directory exists, with mode 0700 if it had to be made, and a
    /// socket that a crashed node left there is gone. A node that listens there is a `configuration` failure.
    package static func claim(_ path: String) throws(Failure) {
        try checkLength(path)
        try makeDirectory(of: path)
        switch occupant(of: path) {
        case .nothing:
            return
        case .staleSocket:
            guard unsafe unlink(path) == 0 || errno == ENOENT else {
                throw Failure(
                    .denied,
                    "\(path) was left by a node that is gone and cannot be removed: \(errnoText())"
                )
            }
        case .node:
            tellOccupant(of: path)
            throw Failure(
                .configuration,
                "a node is already running on \(path). Stop it: dht -s \(path) stop, "
                    + "or choose another place: --socket PATH"
            )
        case .somethingElse:
            throw Failure(
                .configuration,
                "\(path) is no socket; it was left alone. Choose another place: --socket PATH"
            )
        }
    }

    /// The kinds of thing that a socket's path may lead to.
    package enum Occupant: Hashable, Sendable {
        case nothing
        /// A socket nobody listens on.
        case staleSocket
        /// Somebody listens, or may listen: we are not allowed to ask.
        case node
        case somethingElse
    }

    package static func occupant(of path: String) -> Occupant {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return .nothing }
        guard status.st_mode & S_IFMT == S_IFSOCK else { return .somethingElse }
        do throws(SystemError) {
            close(try connection(to: path))
            return .node
        } catch {
            return [ECONNREFUSED, ENOENT].contains(error.code) ? .staleSocket : .node
        }
    }

    private struct SystemError: Error {
        let code: Int32
    }

    private static func connection(to path: String) throws(SystemError) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard descriptor >= 0, let address = UnixAddress(path) else { throw SystemError(code: errno) }
        let result = unsafe address.withSockaddr { unsafe connect(descriptor, $0, $1) }
        guard result != 0 else { return descriptor }
        let code = errno
        close(descriptor)
        throw SystemError(code: code)
    }

    /// Tells the node that listens at `path` that we wanted its place; whether it hears it is its business.
    private static func tellOccupant(of path: String) {
        guard let descriptor = try? connection(to: path) else { return }
        let words = Array(
            "POST /v1/rival?process=\(getpid()) HTTP/1.1\r\nhost: dht\r\nconnection: close\r\n\r\n".utf8
        )
        _ = unsafe send(descriptor, words, words.count, Int32(MSG_NOSIGNAL))
        close(descriptor)
    }

    /// The process that listens on a socket, as the system tells: Linux's `struct ucred`.
    struct Listener: Sendable {
        var process: pid_t = 0
        var user: uid_t = 0
        var group: gid_t = 0
    }

    /// Whether a node of this user's, listening at `path`, is one to talk to.
    static func trusts(_ user: uid_t, at path: String) -> Bool {
        if user == 0 || user == geteuid() { return true }
        var status = stat()
        return unsafe stat(SecretFile.directory(of: path), &status) == 0 && status.st_uid == user
    }

    static func checkLength(_ path: String) throws(Failure) {
        guard !path.isEmpty else { throw Failure(.invalidArgument, "the path of the socket is empty") }
        guard path.utf8.count <= maximumPathLength else {
            throw Failure(
                .configuration,
                "\(path): a socket's path has at most \(maximumPathLength) bytes, this one \(path.utf8.count)"
            )
        }
    }

    private static func makeDirectory(of path: String) throws(Failure) {
        let directory = SecretFile.directory(of: path)
        var status = stat()
        if unsafe stat(directory, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw Failure(.configuration, "\(directory) is no directory, so no socket can be made in it")
            }
        } else if unsafe mkdir(directory, 0o700) == 0 {
            unsafe chmod(directory, 0o700)  // whatever the mask took away
        } else if errno != EEXIST {
            let number = errno
            let code: Failure.Code = [EACCES, EPERM, EROFS].contains(number) ? .denied : .configuration
            throw Failure(
                code,
                "the directory \(directory) of the control socket cannot be made: \(errnoText(number))"
            )
        }
        if unsafe stat(directory, &status) == 0,
            let problem = Exposure.problem(status, directory, isShared: true)
        {
            throw Failure(.denied, "the directory \(directory) of the control socket \(problem)")
        }
        guard unsafe access(directory, W_OK | X_OK) == 0 else {
            throw Failure(
                .denied,
                "the directory \(directory) of the control socket cannot be written: \(errnoText())"
            )
        }
    }
}

extension ControlSocket {
    /// One node at a time looks for a stale socket in a directory, removes it and listens there: else one
    /// would take away what another has just made.
    final class Turn {
        private let descriptor: Int32

        /// Waits for its turn for a second, then goes on: whoever holds the directory for longer is no node.
        init(at path: String) {
            descriptor = unsafe Glibc.open(
                SecretFile.directory(of: path),
                O_RDONLY | O_DIRECTORY | O_CLOEXEC
            )
            for _ in 0..<100 where descriptor >= 0 {
                if flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK { return }
                usleep(10_000)
            }
        }

        func end() { if descriptor >= 0 { close(descriptor) } }
    }

    /// The path from the root, as the system's list of sockets should have it; as it is if that is too long.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = unsafe getcwd(nil, 0) else { return path }
        defer { unsafe free(folder) }
        let whole = unsafe String(cString: folder) + "/" + path
        return whole.utf8.count <= maximumPathLength ? whole : path
    }

    /// The group that a file belongs to; `nil` if it cannot be looked at.
    private static func groupOwning(_ path: String) -> gid_t? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status.st_gid : nil
    }

    /// Gives a socket of ours the mode it is to have.
    static func open(_ path: String, to access: ControlServer.Access) throws(Failure) {
        let mode: mode_t
        switch access {
        case .owner: mode = 0o600
        case .group(let group):
            mode = 0o660
            // A service may not change owners, and need not: its own group is the one.
            guard unsafe groupOwning(path) == group || chown(path, uid_t.max, group) == 0 else {
                let reason = errnoText()
                throw Failure(.denied, "\(path) cannot be given to the group: \(reason)")
            }
        }
        guard unsafe chmod(path, mode) == 0 else {
            let reason = errnoText()
            throw Failure(.denied, "\(path) cannot be made: \(reason)")
        }
    }
}

/// The system's words for the last call that failed.
package func errnoText(_ number: Int32 = errno) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
}
