import Foundation
import Testing

extension IntegrationTests {
    /// What a node's directory has goes by an export into another one, and is all there.
    @Suite(.serialized) struct ExportTests {
        private static func bytes(_ count: Int, seed: UInt8) -> Data {
            var (state, bytes) = (UInt64(seed) + 1, [UInt8]())
            bytes.reserveCapacity(count)
            for _ in 0..<count {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.append(UInt8(truncatingIfNeeded: state >> 56))
            }
            return Data(bytes)
        }

        private let values: [String: Data] = [
            "short": Data("a short value".utf8), "empty": Data(), "long": bytes(641, seed: 1),
            "longer": bytes(64_001, seed: 2), "longest": bytes(3_000_000, seed: 3),
        ]

        private func expectValues(at node: NodeProcess) throws {
            for (key, value) in values { #expect(try node.dht("get", key).output == value, "\(key)") }
        }

        /// The keys it keeps alive, and when each was last written.
        private func kept(_ node: NodeProcess) throws -> [String: Double] {
            let ending = try node.dht("ls", "--own", "--json")
            let object = try JSONSerialization.jsonObject(with: ending.output) as? [String: Any]
            let values = object?["values"] as? [[String: Any]] ?? []
            let pairs = values.compactMap { value -> (String, Double)? in
                guard let key = value["key"] as? String, let renewed = value["renewed"] as? Double else {
                    return nil
                }
                return (key, renewed)
            }
            return Dictionary(uniqueKeysWithValues: pairs)
        }

        @Test func `a node that is restored alone serves and keeps alive all that it had`() throws {
            let members = try Members(["alpha", "beta"])
            let (alpha, beta) = (
                try members.start("alpha", more: ["--data", "alpha.data"]), try members.start("beta")
            )
            try members.settled()
            for (key, value) in values {
                #expect(try alpha.dht(["put", key, "-"], input: value).status == 0)
            }
            for key in ["kept", "kept long"] {
                let value = key == "kept" ? Data("kept".utf8) : Self.bytes(100_000, seed: 9)
                let put = ["put", key, "-", "--keep", "--ttl", "60s"]
                #expect(try alpha.dht(put, input: value).status == 0)
            }
            let theirs = Self.bytes(200_000, seed: 4)
            #expect(try beta.dht(["put", "theirs", "-"], input: theirs).status == 0)
            let before = try kept(alpha)
            #expect(before.keys.sorted() == ["kept", "kept long"])
            alpha.kill()
            beta.kill()
            let export = try Program.run("store", "export", "alpha.data", "-o", "all", in: members.folder)
            #expect(export.status == 0, "\(export.errors)")
            #expect(export.errors == "wrote 8 records, 5 long values, 2 kept keys to all\n")
            let network = ["--network", "net.network"]
            let taken = try Program.run(["store", "import", "new.data", "all"] + network, in: members.folder)
            #expect(taken.status == 0, "\(taken.errors)")
            #expect(taken.text.contains("Stored 8 records; 0 were there already"))
            #expect(taken.text.contains("2 keys to keep alive"))

            let again = try members.start("alpha", peers: [], more: ["--data", "new.data"])
            try expectValues(at: again)
            #expect(try again.dht("get", "theirs").output == theirs)
            #expect(try again.dht("get", "kept long").output == Self.bytes(100_000, seed: 9))
            #expect(try kept(again).keys.sorted() == ["kept", "kept long"])
            try eventually("both are renewed", within: 90) {
                try kept(again).allSatisfy { key, renewed in renewed > before[key] ?? .infinity }
            }
            #expect(try again.dht("get", "kept").output == Data("kept".utf8))
        }

        @Test func `what is cut off, older, newer or another node's is told, with its exit code`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha", more: ["--data", "alpha.data"])
            for (key, value) in values {
                #expect(try alpha.dht(["put", key, "-"], input: value).status == 0)
            }
            #expect(try alpha.dht("put", "kept", "v", "--keep").status == 0)
            alpha.kill()
            let folder = members.folder
            let text = try Program.run("store", "export", "alpha.data", in: folder).text
            let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
            func take(_ directory: String, _ input: String) throws -> Program.Exit {
                let arguments = ["store", "import", directory, "--network", "net.network"]
                return try Program.run(arguments, in: folder, input: Data(input.utf8))
            }
            let cut = try take("cut", String(text.prefix(text.utf8.count / 2)))
            #expect(cut.status == 8 && cut.complaint.contains("its end is missing"), "\(cut.errors)")
            #expect(cut.complaint.contains("not whole") && cut.text.contains("Stored 6 records"))
            let old = try take("old", String(lines[1]) + "\n")
            #expect(old.status == 9 && old.complaint.contains("an older version of dht"))
            let new = try take("old", #"{"format":3,"schema":1}"#)
            #expect(new.status == 9 && new.complaint.contains("a newer version of dht"))
            #expect(try !folder.names().contains("old"))

            // The directory of another node takes all but the keys that this one kept.
            try members.makeKey("beta")
            try members.writeList(["alpha", "beta"])
            let beta = try members.start("beta", peers: [], more: ["--data", "beta.data"])
            #expect(try beta.terminate() == 0)
            let other = try take("beta.data", text)
            #expect(other.status == 8 && other.complaint.contains("left out 1 key that another node keeps"))
            #expect(other.text.contains("Stored 6 records"))

            // What was damaged on the disk is left out, and told.
            let all = URL(filePath: folder.file("alpha.data/records.sqlite"))
            var bytes = Array(try Data(contentsOf: all))
            let piece = Array(Self.bytes(3_000_000, seed: 3)[100_000..<100_032])
            let start = try #require(bytes.indices.first { bytes[$0...].starts(with: piece) })
            bytes[start] ^= 1
            try Data(bytes).write(to: all)
            let damaged = try Program.run("store", "export", "alpha.data", "-o", "less", in: folder)
            #expect(damaged.status == 8, "\(damaged.errors)")
            #expect(damaged.complaint.contains("what is damaged or missing of 1 long value"))
        }
    }
}
