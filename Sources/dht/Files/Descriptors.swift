import DHTGateway
import Glibc

/// Descriptors that a process finds open, and how many it may open.
enum Descriptors {
    /// Opens `/dev/null` where standard input, output or error is closed: else the next file opened would
    /// take its number, and what is meant for people would be written into it.
    static func fillStandard() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 && errno == EBADF {
            // The lowest free number is given out, and all below are taken.
            let opened = unsafe open("/dev/null", O_RDWR)
            if opened > number { close(opened) }
        }
    }

    /// Makes sure that `count` files and sockets can be opened beside those that the threads of the network
    /// need, or says what to do.
    static func require(_ count: Int) throws(Failure) {
        let processors = max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1)
        // Each of the threads, one a processor, has three; the runtime has some of its own.
        let needed = rlim_t(count + 4 * processors + 16)
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        guard limit.rlim_cur < needed else { return }
        limit.rlim_cur = min(needed, limit.rlim_max)
        guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
            limit.rlim_cur >= needed
        else {
            throw Failure(
                .configuration,
                "only \(limit.rlim_max) files may be open at once, and \(needed) are needed. "
                    + "Allow more: ulimit -Hn \(needed), or LimitNOFILE= of the service"
            )
        }
    }
}
