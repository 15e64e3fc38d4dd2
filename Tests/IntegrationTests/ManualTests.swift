import Foundation
import Testing

extension IntegrationTests {
    /// Pages and completions that are made of the program's own help.
    @Suite(.serialized) struct ManualTests {
        private let folder: Folder

        init() throws { folder = try Folder() }

        private func help(_ words: String...) throws -> String {
            try Program.run(words + ["--help"], in: folder).text
        }

        /// Commands that a text of help lists.
        private func commands(in help: String) -> [String] {
            let list = help.components(separatedBy: "SUBCOMMANDS:\n").dropFirst().first ?? ""
            return list.split(separator: "\n").compactMap { line in
                let isCommand = line.hasPrefix("  ") && !line.hasPrefix("   ") && !line.hasPrefix("  See ")
                return isCommand ? line.split(separator: " ").first.map(String.init) : nil
            }
        }

        private func options(in help: String) -> Set<String> {
            let words = help.split { !$0.isLetter && $0 != "-" }
            return Set(words.filter { $0.wholeMatch(of: #/--?[a-zA-Z][a-z-]*/#) != nil }.map(String.init))
        }

        private func makePages() throws {
            let script = Program.root.appending(path: "Packaging/manual.py").path
            let ending = try Program.run(
                script,
                Program.path,
                "man",
                in: folder,
                executable: "/usr/bin/python3"
            )
            #expect(ending.status == 0 && ending.errors.isEmpty, "\(ending.errors)")
        }

        @Test func `every command has a page, with every option of its help`() throws {
            try makePages()
            let names = commands(in: try help())
            #expect(names.count > 15)
            for name in names {
                let page = folder.text("man/dht-\(name).1").replacing("\\-", with: "-")
                #expect(page.contains("dht-\(name) - "), "\(name)")
                let text = try help(name)
                let nested = try commands(in: text).filter { $0 != "help" }.map { try help(name, $0) }
                let wanted = ([text] + nested).reduce(into: Set()) { $0.formUnion(options(in: $1)) }
                for option in wanted { #expect(page.contains(option), "\(name) \(option)") }
                #expect(folder.text("man/dht.1").contains("dht \(name)"))
            }
        }

        @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/mandoc"), "no mandoc"))
        func `the pages are well formed`() throws {
            try makePages()
            for page in try FileManager.default.contentsOfDirectory(atPath: folder.file("man")) {
                let ending = try Program.run(
                    "-Tlint",
                    "-Wwarning",
                    "man/\(page)",
                    in: folder,
                    executable: "/usr/bin/mandoc"
                )
                #expect(ending.status == 0, "\(page): \(ending.text)")
            }
        }

        @Test func `bash completes commands and options`() throws {
            let script = """
                source <('\(Program.path)' --generate-completion-script bash)
                complete -p dht
                COMP_WORDS=(dht p) COMP_CWORD=1 COMP_LINE='dht p' COMP_POINT=5
                _dht dht p dht; printf '%s ' "${COMPREPLY[@]}"
                COMP_WORDS=(dht get --me) COMP_CWORD=2 COMP_LINE='dht get --me' COMP_POINT=12
                _dht dht --me get; printf '%s ' "${COMPREPLY[@]}"
                """
            let ending = try Program.run("-c", script, in: folder, executable: "/bin/bash")
            #expect(ending.text.contains("-F _dht dht"), "\(ending.text)\(ending.errors)")
            for word in ["put", "peers", "ping", "--meta"] { #expect(ending.text.contains(word), "\(word)") }
        }
    }
}
