import Testing

@testable import DHTGateway

struct ShellHistoryTests {
    @Test func `the last thousand lines are kept, of equal ones in a row one`() {
        var history = ShellHistory()
        for number in 0..<1001 {
            history.add("get \(number)")
            history.add("get \(number)")
        }
        #expect(history.lines.count == 1000)
        #expect(history.lines.first == "get 1" && history.lines.last == "get 1000")
    }

    @Test func `a line that may hold a secret can be kept out`() {
        let history = ShellHistory(omitting: "Put, delete")
        for line in [" get a", "\tget a", "", "put a b", "PUT a b", "del a", "put", "get a\nb"] {
            #expect(!history.keeps(line), "\(line)")
        }
        #expect(!history.keeps("get " + String(repeating: "x", count: 4093)))
        for line in ["get a", "putter", "status", "get " + String(repeating: "x", count: 4092)] {
            #expect(history.keeps(line), "\(line)")
        }
    }

    @Test func `what two shells wrote is one history`() {
        var first = ShellHistory()
        first.add("get größe")
        var second = ShellHistory()
        second.add(file: first.file)
        second.add("status")
        #expect(String(decoding: second.file, as: UTF8.self) == "get größe\nstatus\n")
    }

    @Test func `lines of a file that are no text, or not whole, harm no others`() {
        var history = ShellHistory()
        history.add(file: Array("get a\n\n".utf8) + [0xFF, 0x0A] + Array("get b".utf8))
        #expect(history.lines == ["get a", "get b"])
    }
}

struct ShellCompletionTests {
    private func complete(_ line: String, _ history: [String] = []) -> ShellCompletion {
        ShellCompletion(line, history: history) { ["beta", "beth", "gamma"] }
    }

    private func inserted(_ line: String, _ history: [String] = []) -> String {
        complete(line, history).inserted
    }

    @Test func `commands are completed`() {
        #expect(inserted("sta") == "tus ")
        #expect(inserted("  sta") == "tus ")
        #expect(complete("p").candidates == ["peers", "ping", "put"])
        #expect(inserted("p").isEmpty)
        #expect(inserted("frob").isEmpty && inserted("status ").isEmpty)
    }

    @Test func `keys of earlier lines are completed, and values are not`() {
        let history = ["put config/web 1", "get config/mail", "status", "del config/web", "nonsense"]
        #expect(inserted("get c", history) == "onfig/")
        #expect(complete("get c", history).candidates == ["config/mail", "config/web"])
        #expect(inserted("PUT config/w", history) == "eb ")
        #expect(inserted("put config/web c", history).isEmpty)
        #expect(inserted("delete config/m", history) == "ail ")
        #expect(inserted("peers c", history).isEmpty)
    }

    @Test func `a key with blanks is completed in quotes`() {
        let history = ["put 'a b' x", "get \"it's so\"", "get straße"]
        #expect(complete("get a", history) == completion(1, "'a b' ", ["'a b'"]))
        #expect(complete("get i", history) == completion(1, "\"it's so\" ", ["\"it's so\""]))
        #expect(inserted("get 'a", history) == " b' ")
        #expect(inserted("get \"it", history) == "'s so\" ")
        #expect(inserted("get 'it", history).isEmpty)
        #expect(inserted("get 'a b'", history).isEmpty)
        #expect(inserted("get stra", history) == "ße ")
        #expect(complete("get a", ["get 'a b'", "get 'a c'"]).inserted.isEmpty)
    }

    @Test func `a key that would drive the terminal is not offered`() {
        #expect(complete("get ", ["get \u{1B}[2J", "get ok"]).candidates == ["ok"])
    }

    @Test func `peers are completed where one is meant, and asked for only there`() {
        #expect(inserted("ping g") == "amma ")
        #expect(inserted("why b") == "et")
        #expect(complete("why bet").candidates == ["beta", "beth"])
        let isAsked = ShellCompletion("get b", history: []) {
            Issue.record("nobody is meant")
            return []
        }
        #expect(isAsked.candidates.isEmpty)
    }

    private func completion(_ removed: Int, _ inserted: String, _ candidates: [String]) -> ShellCompletion {
        var completion = complete("nothing ")
        (completion.removed, completion.inserted, completion.candidates) = (removed, inserted, candidates)
        return completion
    }
}
