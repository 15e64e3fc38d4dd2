import DHTCore
import DHTCrypto
import DHTEnvelope
import DHTStorage
import Foundation
import SecureDHT
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct StoreTests {
        private static let key = NodeKey()

        /// `count` records under keys of their own, each with the revision and signed for `network`.
        private static func records(
            _ count: Int,
            revision: UInt64 = 1 << 56,
            network: NetworkSecret = .wellKnown
        ) -> [Record] {
            (0..<count).map { index in
                let draft = RecordCodec.Draft(
                    kind: index % 5 == 4 ? .tombstone : .value,
                    key: Array("key-\(index)".utf8),
                    revision: Revision(rawValue: revision),
                    lifetime: 3600,
                    value: index % 5 == 4 ? [] : Array("value \(index)".utf8)
                )
                return RecordCodec.sign(draft, with: key.signingKey, network: network.networkKey.id)
            }
        }

        /// A node's directory with these records.
        private static func fill(_ folder: Folder, _ name: String, _ records: [Record]) throws {
            let database = try NodeDatabase(directory: folder.file(name), owner: key.identity)
            try SQLiteRecordStore(database) { RecordCodec.decode($0) }.apply(records.map { .put($0) })
            database.close()
        }

        /// Changes a directory behind everybody's back.
        private static func edit(_ folder: Folder, _ name: String, _ byte: (inout [UInt8]) throws -> Void)
            throws
        {
            let url = URL(filePath: folder.file("\(name)/records.sqlite"))
            var bytes = Array(try Data(contentsOf: url))
            try byte(&bytes)
            try Data(bytes).write(to: url)
        }

        @Test func `a sound store is told to be`() throws {
            let folder = try Folder()
            try Self.fill(folder, "node", Self.records(10))
            let ending = try Program.run("store", "check", "node", in: folder)
            #expect(ending.status == 0 && ending.errors.isEmpty, "\(ending.errors)")
            let lines = ending.text.split(separator: "\n").map { String($0) }
            #expect(lines[0] == "identity: \(Self.key.identity.text)")
            #expect(lines[1] == "records: 10, 2 of them tombstones" && lines.last == "ok")

            let reply = try Program.run("--json", "store", "check", "node", in: folder)
            #expect(reply["ok"] as? Bool == true && reply["schema"] as? Int == 1)
            #expect(reply["id"] as? String == Self.key.identity.text)
            #expect(reply["records"] as? Int == 10 && reply["tombstones"] as? Int == 2)
            #expect(reply["damaged"] as? Int == 0 && reply["forged"] as? Int == 0)
            #expect((reply["problems"] as? [String])?.isEmpty == true)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.file("node")).sorted() == [
                    "lock", "records.sqlite",
                ]
            )
        }

        @Test func `what was exported is imported elsewhere, where it is not older`() throws {
            let folder = try Folder()
            try Self.fill(folder, "one", Self.records(7))
            let export = try Program.run("store", "export", "one", in: folder)
            #expect(export.status == 0, "\(export.errors)")
            let lines = export.text.split(separator: "\n")
            #expect(lines.count == 9)
            let first = try #require(
                JSONSerialization.jsonObject(with: Data(lines[1].utf8)) as? [String: Any]
            )
            #expect(first["schema"] as? Int == 1 && first["author"] as? String == Self.key.identity.text)
            #expect((first["key"] as? String)?.hasPrefix("key-") == true && first["tombstone"] is Bool)
            let file = try Program.run("store", "export", "one", "-o", "all.jsonl", in: folder)
            #expect(file.status == 0 && file.output.isEmpty)
            #expect(file.errors == "wrote 7 records, 0 long values, 0 kept keys to all.jsonl\n")
            #expect(folder.text("all.jsonl") == export.text)
            #expect(folder.mode("all.jsonl") == 0o600)

            try Self.fill(folder, "two", Self.records(3, revision: 2 << 56))
            let piped = try Program.run("store", "import", "two", in: folder, input: export.output)
            #expect(piped.status == 0, "\(piped.errors)")
            #expect(piped.line == "Stored 4 records; 3 were there already, as new or newer; 0 bad lines")
            #expect(piped.errors == "dht store check two\n")
            let fresh = try Program.run("store", "import", "new", "all.jsonl", "--json", in: folder)
            #expect(fresh["stored"] as? Int == 7 && fresh["bad"] as? Int == 0 && fresh.errors.isEmpty)
            #expect(folder.mode("new") == 0o700)
            #expect(try Program.run("store", "export", "new", in: folder).text == export.text)
            #expect(try Program.run("store", "check", "two", in: folder).status == 0)
        }

        @Test func `signatures are checked by the network key that is named, or found beside the store`()
            throws
        {
            let folder = try Folder()
            func check(_ more: String..., variables: [String: String] = [:]) throws -> Program.Exit {
                try Program.run(["store", "check", "node"] + more, in: folder, variables: variables)
            }
            for name in ["ours", "others"] {
                let made = try Program.run("keygen", "--network", "-o", name, in: folder)
                #expect(made.status == 0)
            }
            let secret = try NetworkSecret(file: folder.file("ours"))
            try Self.fill(folder, "node", Self.records(2, network: secret))

            let forged = try check("--network", "others")
            #expect(forged.status == 8 && forged.complaint.contains("2 not signed by their author"))
            #expect(forged.text.contains("problem: row 1 at ") && !forged.text.contains("ok"))
            #expect(forged.complaint.contains("is that this node's network key?"))
            #expect(try check("--network", "ours").status == 0)
            #expect(try check(variables: ["DHT_NETWORK": "ours"]).status == 0)

            let unknown = try check()
            #expect(unknown.status == 0 && unknown.text.contains("\nnot checked: the signatures"))
            #expect(unknown.text.hasSuffix("ok\n") && unknown.errors.isEmpty)
            let reply = try check("--json")
            #expect(reply["unverified"] as? Int == 2 && reply["network"] is NSNull)

            try FileManager.default.copyItem(atPath: folder.file("others"), toPath: folder.file("a.network"))
            #expect(try check().text.contains("not checked"))
            try FileManager.default.copyItem(atPath: folder.file("ours"), toPath: folder.file("net.key"))
            let found = try check("--json")
            #expect(found["unverified"] as? Int == 0 && found["network"] as? String == secret.fingerprint)
        }

        @Test func `of a store of the network that everybody is in, a record of another one is forged`()
            throws
        {
            let folder = try Folder()
            try Self.fill(
                folder,
                "node",
                Self.records(3) + Self.records(4, network: NetworkSecret()).suffix(1)
            )
            let ending = try Program.run("store", "check", "node", in: folder)
            #expect(ending.status == 8 && ending.complaint.contains("1 not signed by their author"))
        }

        @Test func `bad lines are told by number, and end the import with 8`() throws {
            let folder = try Folder()
            try Self.fill(folder, "one", Self.records(2))
            let good = try Program.run("store", "export", "one", in: folder).text.split(separator: "\n")
            let long = String(repeating: "x", count: 200_000)
            let input = Data("\(good[0])\n\(good[1])\nnonsense\n\(long)\n\(good[2])\n\(good[3])".utf8)
            let ending = try Program.run("store", "import", "two", in: folder, input: input)
            #expect(
                ending.status == 8
                    && ending.complaint == "standard input: left out 2 bad lines; all others were taken"
            )
            let lines = ending.text.split(separator: "\n")
            #expect(lines[0].hasPrefix("line 3: no JSON") && lines[1].hasPrefix("line 4: longer than"))
            #expect(lines[2].hasPrefix("Stored 2 records; 0 were"))
        }

        @Test func `records of the future are left out of an import, and end it with 7`() throws {
            let folder = try Folder()
            let ahead = UInt64(Date().timeIntervalSince1970 * 1000) + 3_600_000
            try Self.fill(folder, "one", Self.records(2) + Self.records(4, revision: ahead << 16).suffix(2))
            let export = try Program.run("store", "export", "one", in: folder)
            let ending = try Program.run("store", "import", "two", in: folder, input: export.output)
            #expect(ending.status == 7, "\(ending.errors)")
            #expect(
                ending.text.contains(
                    "Stored 2 records; 0 were there already, as new or newer; 0 bad lines; 2"
                )
            )
            #expect(ending.complaint.contains("left out 2 records more than 5 minutes ahead"))
            let reply = try Program.run("store", "import", "two", "--json", in: folder, input: export.output)
            #expect(reply["ahead"] as? Int == 2 && reply["known"] as? Int == 2 && reply["bad"] as? Int == 0)
        }

        @Test func `what cannot be opened says why, with its exit code`() throws {
            let folder = try Folder()
            try Self.fill(folder, "node", Self.records(3))
            let absent = try Program.run("store", "check", "none", in: folder)
            #expect(absent.status == 2 && absent.complaint.hasPrefix("none holds no records.sqlite"))
            #expect(try Program.run("store", "import", "x", "none.jsonl", in: folder).status == 2)
            #expect(try folder.names() == ["node"])

            let database = try NodeDatabase(directory: folder.file("node"), owner: nil)
            let busy = try Program.run("store", "export", "node", in: folder)
            #expect(busy.status == 9 && busy.complaint.hasPrefix("node is in use by another process"))
            database.close()

            let known = try Program.run("store", "chekc", "node", in: folder)
            #expect(known.status == 2 && known.complaint.contains("check"))

            try Self.edit(folder, "node") { bytes in
                for index in 4096..<5000 { bytes[index] = 0xA5 }
            }
            let damaged = try Program.run("store", "check", "node", "--json", in: folder)
            #expect(damaged.status == 8 && damaged.errors.contains(#""code":"integrity""#))
            try FileManager.default.createDirectory(
                at: folder.url.appending(path: "other"),
                withIntermediateDirectories: false
            )
            try folder.write("mine", to: "other/records.sqlite")
            let header = Data(#"{"format":2,"schema":1}"#.utf8)
            let foreign = try Program.run("store", "import", "other", in: folder, input: header)
            #expect(foreign.status == 9 && foreign.complaint.contains("is no database and was left alone"))
            #expect(folder.text("other/records.sqlite") == "mine")
        }

        @Test func `a damaged record is found, left out of an export, and mended by an import`() throws {
            let folder = try Folder()
            let records = Self.records(3)
            try Self.fill(folder, "node", records)
            let whole = try Program.run("store", "export", "node", in: folder)
            try Self.edit(folder, "node") { bytes in
                let value = Array("value 1".utf8)
                let start = try #require(
                    bytes.indices.first { bytes[$0...].starts(with: value) }
                )
                bytes[start] ^= 1
            }
            let check = try Program.run("store", "check", "node", in: folder)
            #expect(check.status == 8 && check.complaint.contains("1 damaged, 0 not signed"))
            let export = try Program.run("store", "export", "node", in: folder)
            #expect(export.status == 8 && export.text.split(separator: "\n").count == 4)
            #expect(export.complaint.contains("left out 1 damaged record"))
            let mended = try Program.run("store", "import", "node", in: folder, input: whole.output)
            #expect(mended.status == 0 && mended.text.hasPrefix("Stored 1 record; 2 were"))
            #expect(try Program.run("store", "check", "node", in: folder).status == 0)
        }

        @Test func `a process that is killed while it stores leaves whole batches`() throws {
            let folder = try Folder()
            let count = 20_000
            try Self.fill(folder, "one", Self.records(count))
            #expect(try Program.run("store", "export", "one", "-o", "all.jsonl", in: folder).status == 0)
            let run = try Execution(Program.path, ["store", "import", "two", "all.jsonl"], in: folder)
            try eventually("a few batches were written", within: 60) {
                let log = URL(filePath: folder.file("two/records.sqlite-wal"))
                return (try? log.resourceValues(forKeys: [.fileSizeKey]).fileSize).map { $0 > 1 << 20 }
                    ?? false
            }
            run.kill()
            let check = try Program.run("store", "check", "two", "--json", in: folder)
            #expect(check.status == 0, "\(check.errors)")
            let left = try #require(check["records"] as? Int)
            #expect(left > 0 && left < count && left % 500 == 0, "\(left) records")
            let rest = try Program.run("store", "import", "two", "all.jsonl", "--json", in: folder)
            #expect(rest["known"] as? Int == left && rest["stored"] as? Int == count - left)
        }
    }
}
