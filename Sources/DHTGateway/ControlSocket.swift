import Glibc

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
    package static let maximumPathLength = 107

    /// The search order: the flag, else `DHT_SOCKET`, else `$XDG_RUNTIME_DIR/dht/dht.sock`, else
    /// `/run/dht/dht.sock`.
    package static func candidates(flag: String?, environment: [String: String]) -> [Candidate] {
        if let flag { return [Candidate(path: flag, label: flag)] }
        if let path = environment["DHT_SOCKET"], !path.isEmpty {
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

    /// What is found at the path of a socket.
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
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard probe >= 0 else { return .node }
        defer { close(probe) }
        guard var address = socketAddress(path) else { return .node }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(probe, $0, length) }
        }
        return result != 0 && (errno == ECONNREFUSED || errno == ENOENT) ? .staleSocket : .node
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

    fileprivate static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func makeDirectory(of path: String) throws(Failure) {
        let directory = directory(of: path)
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
        guard unsafe access(directory, W_OK | X_OK) == 0 else {
            throw Failure(
                .denied,
                "the directory \(directory) of the control socket cannot be written: \(errnoText())"
            )
        }
    }

    private static func socketAddress(_ path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count <= maximumPathLength else { return nil }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return address
    }
}

extension ControlSocket {
    /// A directory only we can enter, beside a socket's place: there the socket is made and given its mode
    /// before anybody can see it. It then takes its place in one step, and never another node's.
    struct Nursery {
        private let path: String
        private let directory: String

        /// Where the socket is to be made.
        var socket: String { "\(directory)/s" }

        init(for path: String) throws(Failure) {
            self.path = path
            var template = Array("\(ControlSocket.directory(of: path))/.XXXXXX".utf8CString)
            guard unsafe mkdtemp(&template) != nil else {
                let reason = errnoText()
                throw Failure(.denied, "\(path): no socket can be made there: \(reason)")
            }
            directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            do { try ControlSocket.checkLength(socket) } catch {
                remove()
                throw error
            }
        }

        func publish(_ access: ControlServer.Access) throws(Failure) {
            let mode: mode_t
            switch access {
            case .owner: mode = 0o600
            case .group(let group):
                mode = 0o660
                guard unsafe chown(socket, uid_t.max, group) == 0 else {
                    let reason = errnoText()
                    throw Failure(.denied, "\(path) cannot be given to the group: \(reason)")
                }
            }
            guard unsafe chmod(socket, mode) == 0, unsafe link(socket, path) == 0 else {
                let number = errno
                throw number == EEXIST
                    ? Failure(.configuration, "a node is already running on \(path)")
                    : Failure(.denied, "\(path) cannot be made: \(errnoText(number))")
            }
        }

        func remove() {
            unsafe unlink(socket)
            unsafe rmdir(directory)
        }
    }
}

/// What the system says of the last call that failed.
package func errnoText(_ number: Int32 = errno) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
}
