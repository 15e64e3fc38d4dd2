import DHTGateway
import Glibc
import Synchronization

/// This program, run once more.
final class ChildProcess: Sendable {
    private let id: pid_t
    private let isReaped = Mutex(false)
    /// Our end of its standard input: it ends when this closes.
    private let input: Int32
    private let output: Int32

    /// Starts `dht` with these arguments; what it says on standard error goes to the file `log`.
    init(arguments: [String], log: String) throws(Failure) {
        let input = try Self.makePipe()
        let output = try Self.makePipe()
        let errors = unsafe open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer {
            close(input.reading)
            close(output.writing)
            if errors >= 0 { close(errors) }
        }
        guard errors >= 0 else { throw Failure(.internal, "\(log) cannot be written: \(errnoText())") }

        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawn_file_actions_adddup2(&actions, input.reading, STDIN_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.writing, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }

        // A group of its own, or ^C at our terminal would reach it too; and signals as they are at first.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        var all = sigset_t()
        var none = sigset_t()
        unsafe sigfillset(&all)
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        defer { unsafe posix_spawnattr_destroy(&attributes) }

        var id: pid_t = 0
        // Flags say all it needs to know: variables of ours would change it.
        let variables = GlobalOptions.environment.filter {
            !$0.key.hasPrefix("DHT_") && $0.key != "CREDENTIALS_DIRECTORY"
        }
        let environment = variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let result = unsafe withCStrings(["dht"] + arguments) { arguments in
            unsafe withCStrings(environment) { environment in
                unsafe posix_spawn(&id, "/proc/self/exe", &actions, &attributes, arguments, environment)
            }
        }
        (self.id, self.input, self.output) = (id, input.writing, output.reading)
        guard result == 0 else { throw Failure(.internal, "no process can be started: \(errnoText(result))") }
    }

    deinit {
        close(input)
        close(output)
    }

    /// The first line of its standard output; `nil` if it ends, or the seconds pass, before that.
    func firstLine(within seconds: Int) -> String? {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var line: [UInt8] = []
        while true {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return nil }
            let milliseconds = Int32(left.components.seconds * 1000) + 1000
            var ready = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let count = unsafe poll(&ready, 1, milliseconds)
            if count < 0, errno == EINTR { continue }
            var byte: UInt8 = 0
            guard count == 1, unsafe read(output, &byte, 1) == 1 else { return nil }
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
    }

    /// Ends it at once, as a crash would, and waits until it is gone.
    func kill() {
        isReaped.withLock {
            guard !$0 else { return }
            Glibc.kill(id, SIGKILL)
            waitpid(id, nil, 0)
            $0 = true
        }
    }

    /// Descriptors that no other child inherits.
    private static func makePipe() throws(Failure) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw Failure(.internal, "no pipe: \(errnoText())") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }
}

/// Lends `strings` as C has them: a list that ends with a null pointer.
func withCStrings<R>(
    _ strings: [String],
    _ body: ([UnsafeMutablePointer<CChar>?]) -> R
) -> R {
    var pointers = unsafe strings.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe body(pointers)
}
