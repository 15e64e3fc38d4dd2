import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct PythonNodeTests {
        @Test func `two implementations that share a page share values`() throws {
            let members = try Members(["swift", "other", "python"])
            let swift = try members.start("swift")
            let other = try members.start("other")
            let python = try members.python("python", peers: [swift])
            #expect(python.identity == members.identities["python"])
            #expect(try python.ask("ping", swift.identity)["ok"] as? Bool == true)
            try eventually("all three are known to the others") {
                try swift.peersUp() == 2 && other.peersUp() == 2
            }
            #expect(try swift.dht("ping", python.identity).status == 0)
            #expect(try python.ask("find", String(repeating: "00", count: 20))["ok"] as? Bool == true)

            #expect(
                try swift.dht("put", "from swift", "grüezi").text == "Stored key 'from swift' at 3 nodes\n"
            )
            #expect("\(try python.ask("get", hex("from swift")))".contains(hex("grüezi")))
            _ = try python.ask("put", hex("from python"), hex("bonjour"))
            #expect(try other.dht("get", "from python").text == "bonjour")
            #expect(try swift.dht("get", "from python").text == "bonjour")

            let long = String(repeating: "a value that is too long for a record ", count: 5000)
            let stored = try swift.dht("put", "long", "-", input: Data(long.utf8))
            // The other implementation keeps no content, and says so.
            #expect(stored.text == "Stored key 'long' at 2 nodes\n", "\(stored.errors)")
            #expect(try python.ask("get", hex("long"))["value"] as? String == hex(long))

            #expect(try swift.dht("del", "from swift").status == 0)
            #expect(!"\(try python.ask("get", hex("from swift")))".contains(hex("grüezi")))
            _ = try python.ask("del", hex("from python"))
            #expect(try swift.dht("get", "from python").status == 3)
        }

        @Test func `one that is on no list hears nothing from the other implementation`() throws {
            let members = try Members(["swift"])
            try members.makeKey("python")
            let swift = try members.start("swift")
            _ = try swift.dht("put", "secret", "value")
            let python = try members.python("python", peers: [swift])
            #expect(try python.ask("ping", swift.identity)["ok"] as? Bool != true)
            #expect(!"\(try python.ask("get", hex("secret")))".contains(hex("value")))
            #expect(try swift.rejected()["admission", default: 0] > 0)
            #expect(try swift.peersUp() == 0)
        }
    }
}
