import Foundation
import Testing

/// The table in `docs/protocol.md`, section 11, says what the code says.
struct ConstantTests {
    /// Where the code keeps the numbers of each row, one place for each number or for one literal that has
    /// them all.
    ///
    /// A place is `file:symbol` below `Sources/`, its numbers those of the symbol's initial value, which `*`
    /// and `/`, between blanks, may bring to the table's unit: by another place or by a number.
    static let places: [String: [String]] = [
        "datagram lengths": ["DHTEnvelope/Wire/Datagram.swift:lengths"],
        "K": ["DHTCore/Messages/Message.swift:replicas"],
        "α": ["DHTCore/Messages/Message.swift:parallelism"],
        "challenge epoch": ["DHTEnvelope/Defence/ChallengeMint.swift:epochLength"],
        "replay window": ["DHTEnvelope/Defence/ReplayWindow.swift:size"],
        "sessions": ["DHTEnvelope/Sessions/Session.swift:sessionLimit"],
        "addresses": ["DHTEnvelope/Sessions/Session.swift:addressLimit"],
        "idle session": [
            "DHTEnvelope/Sessions/Session.swift:idleLimit"
                + " * DHTEnvelope/Defence/ChallengeMint.swift:epochLength"
        ],
        "first-contact lane": [
            "DHTEnvelope/Gate/Gate.swift:firstContacts", "DHTEnvelope/Gate/Gate.swift:firstContacts",
        ],
        "first-contact lane, by source": [
            "DHTEnvelope/Gate/Gate.swift:firstContactsBySource",
            "DHTEnvelope/Gate/Gate.swift:firstContactsBySource"
                + " * DHTEnvelope/Defence/FirstContactLane.swift:burstSeconds",
        ],
        "first contacts of a box key": [
            "DHTEnvelope/Defence/FirstContacts.swift:burst",
            "DHTEnvelope/Defence/FirstContacts.swift:interval",
        ],
        "failed responses under unknown box keys": [
            "DHTEnvelope/Gate/Gate.swift:junkRate", "DHTEnvelope/Gate/Gate.swift:junkRate",
        ],
        "failed responses": ["DHTEnvelope/Sessions/PendingRequests.swift:failureLimit"],
        "budget": [
            "DHTEnvelope/Gate/Gate.swift:requestsByPeer",
            "DHTEnvelope/Gate/Gate.swift:requestsByPeer"
                + " * DHTEnvelope/Sessions/SessionTable.swift:budgetBurstSeconds",
        ],
        "box-key period": ["DHTEnvelope/Sessions/KeyRing.swift:boxKeyPeriod"],
        "clock tolerance": ["DHTCore/Records/Record.swift:clockTolerance / 1000"],
        "key": ["DHTCore/Records/Record.swift:keyLengths"],
        "value": ["DHTCore/Records/Record.swift:maximumValueLength"],
        "content": ["DHTCore/Content/ContentReference.swift:lengths"],
        "piece": ["DHTCore/Content/ContentReference.swift:pieceLength"],
        "chunk": ["DHTCore/Content/ContentReference.swift:chunkLength"],
        "`wanted` without a sign": ["DHTEngine/Content/Wants.swift:grace"],
        "`wanted` after a sign": ["DHTEngine/Content/Wants.swift:patience"],
        "least time for content": ["DHTEngine/Content/ContentTransfers.swift:leastAllowance"],
        "least rate of content": ["DHTEngine/Content/ContentTransfers.swift:leastRate"],
        "content that does not come": ["DHTEngine/Content/ContentTransfers.swift:incomingPatience"],
        "lifetime": ["DHTCore/Records/Record.swift:lifetimes"],
        "roster": ["DHTCore/Content/ContentReference.swift:rosterLengths"],
        "roster compared": ["DHTEngine/Roster/RosterDesk.swift:comparing"],
        "open invitations": ["DHTEnvelope/Invitations/InvitationBook.swift:capacity"],
        "answered again": ["DHTEnvelope/Invitations/InvitationBook.swift:patience / 1000"],
    ]

    /// What a library user may set begins at the same numbers.
    static let defaults = ["firstContacts", "firstContactsBySource", "requestsByPeer"]

    @Test func `every row of the table has its place in the code`() throws {
        let names = try Self.table().map(\.name)
        for name in names where Self.places[name] == nil {
            Issue.record(
                "docs/protocol.md: `\(name)` has no constant; name its place in ConstantTests.places"
            )
        }
        for name in Self.places.keys.sorted() where !names.contains(name) {
            Issue.record(
                "docs/protocol.md: no row `\(name)` in section 11; write it, or take it out of places"
            )
        }
    }

    @Test func `the code's constants are the table's`() throws {
        for row in try Self.table() {
            var code: [Int] = []
            for place in Self.places[row.name] ?? [] {
                if let numbers = Self.evaluate(place) {
                    code += numbers
                } else {
                    Issue.record(
                        """
                        \(row.name): no declaration with a value at \(place). It should make \(row.value) \
                        (\(row.unit)): declare it there, or correct ConstantTests.places
                        """
                    )
                }
            }
            let told = Self.numbers(row.value)
            // An upper bound stands for its range from zero.
            if code.count == Self.places[row.name]?.count || code.count == told.count {
                #expect(
                    code == told || [0] + code == told,
                    "\(row.name): the table says \(row.value), the code \(code) (\(row.unit)); mend one"
                )
            }
        }
    }

    @Test(arguments: defaults)
    func `a setting's default is the protocol's`(name: String) {
        let setting = Self.evaluate("SecureDHT/API/NodeConfiguration.swift:\(name)")
        #expect(setting != nil && setting == Self.evaluate("DHTEnvelope/Gate/Gate.swift:\(name)"))
    }

    /// The rows of section 11.
    private static func table() throws -> [(name: String, value: String, unit: String)] {
        let text = try #require(Tree.text("docs/protocol.md"), "docs/protocol.md is missing: write it")
        let section = try #require(
            text.split(separator: "\n## ").first { $0.hasPrefix("11. Constants") },
            "docs/protocol.md has no section \"10. Constants\": write it"
        )
        return section.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count >= 4, cells[1] != "name", !cells[1].hasPrefix("---") else { return nil }
            return (cells[1], cells[2], cells[3])
        }
    }

    /// The numbers at a place; `nil` if something it names is not declared.
    private static func evaluate(_ place: String) -> [Int]? {
        let words = place.split(separator: " ").map { String($0) }
        guard var result = declared(words[0]) else { return nil }
        for index in stride(from: 1, to: words.count - 1, by: 2) {
            guard let factor = Int(words[index + 1]) ?? declared(words[index + 1])?.first else { return nil }
            result = result.map { words[index] == "*" ? $0 * factor : $0 / factor }
        }
        return result
    }

    /// The numbers in the initial value of `file:symbol`, or in the default of a parameter of that name.
    private static func declared(_ place: String) -> [Int]? {
        let parts = place.split(separator: ":").map { String($0) }
        guard parts.count == 2, let file = SourceFile(path: "Sources/\(parts[0])") else { return nil }
        let declaration = #/\b(?:static let|var) (\w+)(?::[^=]*)? = (.*)/#
        let parameter = #/^\s*(\w+): \w+ = (.*)/#
        let found = file.code.lazy.compactMap { line in
            (line.firstMatch(of: declaration) ?? line.firstMatch(of: parameter)).map { ($0.1, $0.2) }
        }.first { $0.0 == parts[1] }
        return found.map { numbers(String($0.1)) }
    }

    /// Whole numbers in a text, `_` between digits ignored: `1…31_536_000` is 1, 31536000.
    private static func numbers(_ text: String) -> [Int] {
        text.replacing(#/(\d)_(?=\d)/#) { $0.1 }.matches(of: #/\d+/#).compactMap { Int($0.0) }
    }
}
