import Glibc

/// The machine as it is for a node.
package struct HostFacts: Hashable, Sendable {
    /// Files that may be open at once.
    package var openFiles: UInt64
    /// Bytes free where the node's directory is; `nil` if it has none.
    package var freeBytes: UInt64?
    /// Datagrams that the system dropped because we did not take them in time.
    package var socketDrops: UInt64

    /// Files that a node with its clients may need.
    static let neededFiles: UInt64 = 1024
    /// Below this the log and the database's journal have no room.
    static let neededBytes: UInt64 = 64 << 20

    package init(openFiles: UInt64, freeBytes: UInt64? = nil, socketDrops: UInt64 = 0) {
        (self.openFiles, self.freeBytes, self.socketDrops) = (openFiles, freeBytes, socketDrops)
    }

    /// Of this process.
    package static func current(directory: String?, ports: [UInt16]) -> HostFacts {
        var facts = HostFacts(openFiles: ProcessFigures.fileLimit ?? neededFiles)
        if let directory {
            var system = statvfs()
            if unsafe statvfs(directory, &system) == 0 {
                facts.freeBytes = UInt64(system.f_bavail) * UInt64(system.f_frsize)
            }
        }
        for table in ["/proc/net/udp", "/proc/net/udp6"] {
            facts.socketDrops += drops(in: ProcessFigures.text(table) ?? "", ports: ports)
        }
        return facts
    }

    /// The column `drops` of the sockets at these ports, as Linux lists them.
    static func drops(in table: String, ports: [UInt16]) -> UInt64 {
        table.split(separator: "\n").dropFirst().reduce(0) { sum, line in
            let columns = line.split(separator: " ")
            guard columns.count > 2, let last = columns.last, let drops = UInt64(last),
                let text = columns[1].split(separator: ":").last, let port = UInt16(text, radix: 16),
                ports.contains(port)
            else { return sum }
            return sum + drops
        }
    }

    package var findings: [Finding] {
        var findings: [Finding] = []
        if openFiles < Self.neededFiles {
            findings.append(
                Finding(
                    .limits,
                    "\(openFiles) files may be open at once; a node may need \(Self.neededFiles)",
                    next: "ulimit -n \(Self.neededFiles), or LimitNOFILE= of the service"
                )
            )
        }
        if socketDrops > 0 {
            findings.append(
                Finding(
                    .limits,
                    "the system dropped \(socketDrops) datagrams because its receive buffer was full",
                    next: "sysctl -w net.core.rmem_max=4194304; then restart the node"
                )
            )
        }
        if let freeBytes, freeBytes < Self.neededBytes {
            findings.append(
                Finding(.disk, "\(freeBytes >> 20) MiB are free where the records are", next: "df -h")
            )
        }
        return findings
    }
}
