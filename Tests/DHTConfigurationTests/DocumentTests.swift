import DHTConfiguration
import Foundation
import Testing

/// The table of settings in `docs/operations.md` is the one in the code.
struct DocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The cells of a row of Markdown, without the ticks around code.
    private static func cells(_ line: Substring) -> [String] {
        line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
            .map { $0.trimmingCharacters(in: .whitespaces).replacing("`", with: "") }
    }

    @Test func `operations.md has a row for every setting, as the code has it`() throws {
        let text = try String(contentsOf: Self.root.appending(path: "docs/operations.md"), encoding: .utf8)
        let rows = text.split(separator: "\n", omittingEmptySubsequences: false)
            .drop { !$0.hasPrefix("| key | flag | variable |") }
            .dropFirst(2)
            .prefix { $0.hasPrefix("|") }
            .map(Self.cells)
        #expect(rows.map(\.first) == Setting.allCases.map(\.rawValue))
        for (setting, row) in zip(Setting.allCases, rows) {
            let expected = [
                setting.rawValue, setting.flag, setting.variable, setting.form, setting.fallbackWords,
            ]
            #expect(row.prefix(5).elementsEqual(expected), "write: \(expected.joined(separator: " | "))")
            #expect(row.count == 6 && row.last?.isEmpty == false, "\(setting.rawValue): say what it does")
        }
    }

    @Test func `every setting is described`() {
        for setting in Setting.allCases {
            let summary = setting.definition.summary
            #expect(summary.hasSuffix(".") && summary.count < 100, "\(setting.rawValue)")
            #expect(!setting.fallbackWords.isEmpty)
        }
    }
}
