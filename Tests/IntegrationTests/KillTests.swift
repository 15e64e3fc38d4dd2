import DHTCore
import DHTEnvelope
import DHTStorage
import Foundation
import SecureDHT
import Testing

extension IntegrationTests {
    /// `kill -9` of the program at moments at which it is making something.
    @Suite(.serialized) struct KillTests {
        @Test func `a first start that is killed leaves a directory that starts`() throws {
            let members = try Members(["a"])
            let folder = members.folder
            let node = [
                "node", "--key", "a.key", "--allow", "peers.allow", "--network", "net.network",
                "--listen", "127.0.0.1:0", "--data", "data", "--socket", folder.file("a.sock"),
            ]
            var chance = SystemRandomNumberGenerator()
            for number in 0..<40 {
                let run = try Execution(Program.path, node, in: folder)
                // Some as soon as a file has its name, the others at some moment of the first half second.
                let awaited = ["data/lock", "data/records.sqlite.draft", "data/records.sqlite"]
                if number % 4 < 3 {
                    let path = folder.file(awaited[number % 4])
                    while run.isRunning, !run.text.contains("READY"), unsafe access(path, F_OK) != 0 {}
                    usleep(.random(in: 0...3000, using: &chance))
                } else {
                    usleep(.random(in: 0...500_000, using: &chance))
                }
                run.kill()
                let left = (try? FileManager.default.contentsOfDirectory(atPath: folder.file("data"))) ?? []
                let again = try Execution(Program.path, node, in: folder)
                try eventually("the node serves or ends") { again.text.contains("READY") || !again.isRunning }
                #expect(again.text.contains("READY"), "after \(left) was left: \(again.log)")
                again.kill()
                try? FileManager.default.removeItem(atPath: folder.file("data"))
            }
        }

        @Test(arguments: [false, true])
        func `an export that is killed leaves nothing beside its target`(isThere: Bool) throws {
            let folder = try Folder()
            let key = NodeKey()
            let database = try NodeDatabase(directory: folder.file("node"), owner: key.identity)
            let value = [UInt8](repeating: 7, count: 600)
            let records = (0..<5000).map { number in
                let draft = RecordCodec.Draft(
                    kind: .value,
                    key: Array("key-\(number)".utf8),
                    revision: Revision(rawValue: 1 << 56),
                    lifetime: 3600,
                    value: value
                )
                return RecordCodec.sign(
                    draft,
                    with: key.signingKey,
                    network: NetworkSecret.wellKnown.networkKey.id
                )
            }
            try SQLiteRecordStore(database) { RecordCodec.decode($0) }.apply(records.map { .put($0) })
            database.close()
            // On a starved machine it may be over before anybody looks: then once more.
            var isKilled = false
            for _ in 0..<20 where !isKilled {
                try? FileManager.default.removeItem(atPath: folder.file("all.jsonl"))
                if isThere { try folder.write("old", to: "all.jsonl") }
                isKilled = try killExport(in: folder)
            }
            try #require(isKilled)
            #expect(try folder.names() == (isThere ? ["all.jsonl", "node"] : ["node"]))
            #expect(folder.text("all.jsonl") == (isThere ? "old" : ""))
            #expect(try Program.run("store", "export", "node", "-o", "all.jsonl", in: folder).status == 0)
            #expect(try folder.names() == ["all.jsonl", "node"])
            // The first line says what it is, the last one that it is whole.
            #expect(folder.text("all.jsonl").split(separator: "\n").count == records.count + 2)
        }

        /// Kills an export as soon as it writes a file that has no name; `false` if it was over before.
        private func killExport(in folder: Folder) throws -> Bool {
            let run = try Execution(Program.path, ["store", "export", "node", "-o", "all.jsonl"], in: folder)
            let descriptors = "/proc/\(run.processID)/fd"
            try eventually("it writes a file that has no name") {
                let names = (try? FileManager.default.contentsOfDirectory(atPath: descriptors)) ?? []
                let places = names.compactMap {
                    try? FileManager.default.destinationOfSymbolicLink(atPath: "\(descriptors)/\($0)")
                }
                return !run.isRunning
                    || places.contains { $0.hasPrefix(folder.url.path + "/") && $0.hasSuffix(" (deleted)") }
            }
            run.kill()
            return try run.finish().isKilled
        }
    }
}
