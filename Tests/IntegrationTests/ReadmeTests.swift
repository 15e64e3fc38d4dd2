import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct ReadmeTests {
        @Test func `the commands the README shows run as they are shown`() throws {
            let readme = try String(contentsOf: Program.root.appending(path: "README.md"), encoding: .utf8)
            let blocks = readme.components(separatedBy: "<!-- runs: shell -->\n```sh\n").dropFirst()
                .compactMap { $0.components(separatedBy: "```").first }
            #expect(!blocks.isEmpty)
            for block in blocks {
                let folder = try Folder()
                let built = URL(filePath: Program.path).deletingLastPathComponent().path
                let script = "set -eu; export PATH='\(built)':\"$PATH\" TMPDIR='\(folder.url.path)'\n\(block)"
                let ending = try Program.run(
                    "60",
                    "sh",
                    "-c",
                    script,
                    in: folder,
                    executable: "/usr/bin/timeout"
                )
                #expect(ending.status == 0, "\(ending.text)\n\(ending.errors)")
                #expect(ending.text.contains("good morning"))
                #expect(try folder.occupants().isEmpty)
                #expect(try folder.names().isEmpty)
            }
        }
    }
}
