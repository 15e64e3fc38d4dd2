import Foundation
import Testing

extension IntegrationTests {
    /// Values that their author's node keeps alive, at the command line.
    @Suite(.serialized) struct RenewalTests {
        private func kept(_ node: NodeProcess) throws -> [[String: Any]] {
            let ending = try node.dht("ls", "--own", "--json")
            let object = try JSONSerialization.jsonObject(with: ending.output) as? [String: Any]
            return object?["values"] as? [[String: Any]] ?? []
        }

        @Test func `too short a lifetime is refused in words`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            let refused = try alpha.dht("put", "k", "v", "--keep", "--ttl", "29s")
            #expect(refused.status == 2 && refused.output.isEmpty)
            #expect(refused.complaint.contains("30 s at least"), "\(refused.errors)")
            #expect(try alpha.dht("get", "k").status == 3)
            #expect(try alpha.dht("put", "k", "v", "--ttl", "29s").status == 0)
        }

        @Test func `what is told of as kept is kept by the next process, whatever else is put`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            let script = """
                for n in $(seq 20); do "$0" -s "$1" put "key $n" value --keep & jobs="$jobs $!"; done
                for job in $jobs; do wait $job || exit 1; done
                kill -9 $2
                """
            let arguments = ["-c", script, Program.path, alpha.socket, String(alpha.processID)]
            // The test's threads block all signals, and so does what they start: some shells wait for one.
            #expect(try Execution("/bin/bash", arguments, in: members.folder).finish().status == 0)
            alpha.kill()
            let again = try members.start("alpha")
            #expect(try kept(again).count == 20)
        }

        @Test func `values outlive their lifetime, and what a newer one supersedes is told`() throws {
            let members = try Members(["alpha", "beta", "gamma"])
            let alpha = try members.start("alpha")
            let beta = try members.start("beta")
            let gamma = try members.start("gamma")
            try members.settled()
            for key in ["one", "two", "theirs"] {
                #expect(try alpha.dht("put", key, "mine", "--keep", "--ttl", "30s").status == 0)
            }
            let first = try kept(alpha)
            #expect(first.compactMap { $0["state"] as? String } == ["kept", "kept", "kept"])
            #expect(try beta.dht("put", "theirs", "newer").status == 0)
            let start = Date()
            try eventually("the value of another is noticed", within: 60) {
                try kept(alpha).contains { $0["state"] as? String == "superseded" }
            }
            let values = try kept(alpha)
            #expect(values.compactMap { $0["key"] as? String } == ["one", "theirs", "two"])
            #expect((values[1]["superseded_by"] as? [String: Any])?["name"] as? String == "beta")
            #expect(try alpha.dht("ls", "--own").text.contains("kept no more: newer value of beta"))
            #expect(try alpha.dht("status").text.contains("Kept values: 2, of these not renewed: 0"))
            let counts = try alpha.status()["kept"] as? [String: Int]
            #expect(counts == ["count": 2, "failing": 0, "stopped": 1])
            try eventually("it is in the log") { alpha.log.contains("kept no more") }
            // A killed node goes on after its restart.
            alpha.kill()
            let again = try members.start("alpha", peers: [beta.uri])
            #expect(try kept(again).compactMap { $0["key"] as? String } == ["one", "two"])
            try eventually("the first lifetime is over", within: 60) { start.timeIntervalSinceNow < -35 }
            for key in ["one", "two"] { #expect(try gamma.dht("get", key).text == "mine") }
            #expect(try gamma.dht("get", "theirs").text == "newer")
            let renewed = try #require(kept(again).first?["renewed"] as? Double)
            #expect(renewed > start.timeIntervalSince1970)
            #expect(try again.dht("ls", "--own").text.contains("renewed 20"))
        }
    }
}
