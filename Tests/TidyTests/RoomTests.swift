import Testing

/// Which rooms of `DHTCore` name which: `docs/architecture.md` lists them in this order.
struct RoomTests {
    /// A room names types of itself and of those before it.
    static let rooms = [
        "Space", "Time", "Content", "Records", "Messages", "Routing", "Lookups", "Catalog", "Operations",
        "Membership", "Replication", "Node",
    ]
    /// These extend the node, so they name it, and it names them.
    static let open: Set = ["Membership", "Replication", "Node"]

    private static func room(of file: SourceFile) -> String {
        let parts = file.path.split(separator: "/")
        return parts.count == 4 ? String(parts[2]) : ""
    }

    @Test func `every file of the core is in a room`() {
        let homeless = Tree.sources(of: "DHTCore").filter { !Self.rooms.contains(Self.room(of: $0)) }
        expectNone(homeless.map { Finding($0.path, "is in no room: move it, or say where it belongs") })
    }

    @Test func `a room names none that comes after it`() {
        let sources = Tree.sources(of: "DHTCore")
        let declaration = #/^(?:\w+ )*(?:struct|enum|class|protocol|typealias|actor) (\w+)/#
        var homes: [String: String] = [:]
        for file in sources {
            for case let match? in file.code.map({ $0.prefixMatch(of: declaration) }) {
                homes[String(match.1)] = Self.room(of: file)
            }
        }
        let order = Dictionary(uniqueKeysWithValues: zip(Self.rooms, 0...))
        let word = #/\w+/#
        let findings = sources.flatMap { file -> [Finding] in
            let own = Self.room(of: file)
            return zip(1..., file.code).flatMap { line, code in
                code.matches(of: word).compactMap { match -> Finding? in
                    guard let other = homes[String(match.0)],
                        order[other, default: 0] > order[own, default: 0],
                        !Self.open.contains(own)
                    else { return nil }
                    return Finding(
                        file.path,
                        line: line,
                        "\(own) must not name \(match.0), which is in \(other)"
                    )
                }
            }
        }
        #expect(homes.count > 60)
        expectNone(findings)
    }
}
