import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct DemoTests {
        /// Files go where the test sees them.
        private func places(_ folder: Folder) -> [String: String] { ["TMPDIR": folder.url.path] }

        @Test func `the demonstration ends well and leaves nothing behind`() throws {
            let folder = try Folder()
            let ending = try Program.run("demo", "3", in: folder, variables: places(folder))
            #expect(ending.status == 0, "\(ending.text) \(ending.errors)")
            #expect(ending.text.contains("Everything went as promised."))
            #expect(!ending.text.contains("\u{1B}"))
            #expect(try folder.names().isEmpty)
            #expect(try folder.occupants().isEmpty)
        }

        @Test func `a demonstration that is interrupted leaves nothing behind either`() throws {
            let folder = try Folder()
            let demo = try Execution(Program.path, ["demo", "3"], in: folder, variables: places(folder))
            try eventually("nodes serve; it said: \(demo.text)\(demo.log)") {
                demo.text.contains("nodes serve")
            }
            demo.signal(SIGINT)
            #expect(try demo.finish().status == 130)
            #expect(try folder.names().isEmpty)
            #expect(try folder.occupants().isEmpty)
        }

        @Test func `the nodes of a demonstration that crashes end with it`() throws {
            let folder = try Folder()
            let demo = try Execution(Program.path, ["demo", "3"], in: folder, variables: places(folder))
            try eventually("nodes serve; it said: \(demo.text)\(demo.log)") {
                demo.text.contains("nodes serve")
            }
            #expect(try folder.occupants().count >= 4)
            demo.kill()
            try eventually("its nodes are gone") { try folder.occupants().isEmpty }
        }
    }
}
