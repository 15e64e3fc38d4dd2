import FoundationEssentials
import Glibc

/// Figures that the system has of this process,
/// under the names that all exporters give it. Read when it is asked
/// for; none where there is no `/proc`.
package enum ProcessFigures {
    /// One number of the process.
    package struct Figure: Hashable, Sendable {
        let name: String
        let isCounter: Bool
        let value: Double
    }

    /// Places of the fields of `/proc/self/stat` behind the program's name, which may have blanks in it.
    private enum Field {
        static let userTicks = 11
        static let systemTicks = 12
        static let threads = 17
        static let startTicks = 19
        static let residentPages = 21
    }

    /// All that can be read.
    package static func read() -> [Figure] {
        guard let status = text("/proc/self/stat") else { return [] }
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        var figures = figures(status: status, ticks: ticks, page: page, boot: bootTime)
        if let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            // The one by which they are counted is no more.
            figures.append(.init(name: "process_open_fds", isCounter: false, value: Double(files.count - 1)))
        }
        if let limit = fileLimit {
            figures.append(.init(name: "process_max_fds", isCounter: false, value: Double(limit)))
        }
        return figures
    }

    /// Files and sockets that may be open at once; `nil` if the system does not tell.
    static var fileLimit: UInt64? {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return UInt64(limit.rlim_cur)
    }

    /// - Parameters:
    ///   - status: `/proc/self/stat`.
    ///   - ticks: Of them the system counts so many a second.
    ///   - page: Bytes of a page.
    ///   - boot: When the machine started, in seconds since 1970.
    static func figures(status: String, ticks: Double, page: Double, boot: Double?) -> [Figure] {
        guard let end = status.lastIndex(of: ")") else { return [] }
        let fields = status[status.index(after: end)...].split { $0 == " " || $0 == "\n" }.map { Double($0) }
        func field(_ index: Int) -> Double? { index < fields.count ? fields[index] : nil }
        var figures: [Figure] = []
        if let user = field(Field.userTicks), let system = field(Field.systemTicks) {
            let seconds = (user + system) / ticks
            figures.append(.init(name: "process_cpu_seconds_total", isCounter: true, value: seconds))
        }
        if let threads = field(Field.threads) {
            figures.append(.init(name: "process_threads", isCounter: false, value: threads))
        }
        if let start = field(Field.startTicks), let boot {
            let time = boot + start / ticks
            figures.append(.init(name: "process_start_time_seconds", isCounter: false, value: time))
        }
        if let pages = field(Field.residentPages) {
            figures.append(
                .init(name: "process_resident_memory_bytes", isCounter: false, value: pages * page)
            )
        }
        return figures
    }

    private static var bootTime: Double? {
        text("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
            .flatMap { Double($0.dropFirst("btime ".count)) }
    }

    /// A file of the system's that is made when it is read.
    static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
