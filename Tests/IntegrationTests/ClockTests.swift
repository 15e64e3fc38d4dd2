import Foundation
import Testing

extension IntegrationTests {
    /// Calendars that are wrong, and are set right.
    @Suite(.serialized) struct ClockTests {
        /// `libfaketime`; `nil` where it is not installed.
        private static let library = [
            "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
            "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
            "/usr/lib/faketime/libfaketimeMT.so.1",
        ].first { FileManager.default.fileExists(atPath: $0) }

        /// Removes what the library leaves behind of a process that was killed.
        private func sweep(after node: NodeProcess) {
            for name in ["faketime_shm_\(node.processID)", "sem.faketime_sem_\(node.processID)"] {
                try? FileManager.default.removeItem(atPath: "/dev/shm/\(name)")
            }
        }

        private static let year = 31_557_600
        /// To 1970 and to 2106 as well.
        private static let offsets =
            [20, 120, 3600, 86_400, 20 * year].flatMap { [$0, -$0] }
            + [-Int(Date().timeIntervalSince1970), (1 << 32) - Int(Date().timeIntervalSince1970)]

        @Test func `a clock that was wrong and is set right isolates nobody`() throws {
            guard let library = Self.library else {
                print("libfaketime is missing, so wrong clocks are not tried: make deps")
                return
            }
            let members = try Members(["one", "two", "wrong"])
            let file = members.folder.file("clock")
            /// By how many seconds the calendar of the third is wrong; its monotonic clock never is.
            func set(_ offset: Int) throws {
                try members.folder.write(offset < 0 ? "\(offset)\n" : "+\(offset)\n", to: "clock")
            }
            let variables = [
                "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            ]
            try set(0)
            let one = try members.start("one", peers: [])
            let two = try members.start("two", peers: [one.uri])
            var wrong = try members.start("wrong", peers: [one.uri], variables: variables)
            let address = wrong.address
            try members.settled([one, two, wrong], 2)

            var keys = 0
            /// What is put at one is read at the others, at once.
            func exchange(_ what: String) throws {
                for (writer, reader) in [(wrong, one), (one, wrong), (two, wrong)] {
                    keys += 1
                    let put = try writer.dht("put", "key \(keys)", "value \(keys)")
                    #expect(put.text == "Stored key 'key \(keys)' at 3 nodes\n", "\(what): \(put.errors)")
                    #expect(try reader.dht("get", "key \(keys)").text == "value \(keys)", "\(what)")
                }
            }
            /// What was written while the clock was wrong locks nothing.
            func rewrite(_ what: String) throws {
                for key in ["the same", "deleted"] {
                    let put = try wrong.dht("put", key, what)
                    #expect(put.text == "Stored key '\(key)' at 3 nodes\n", "\(what): \(put.errors)")
                    for reader in [one, two, wrong] {
                        #expect(try reader.dht("get", key).text == what, "\(key)")
                    }
                }
            }
            for offset in Self.offsets {
                try set(offset)
                let put = try wrong.dht("put", "put at \(offset)", "value")
                let isTaken = put.text.hasSuffix("at 3 nodes\n")
                // Less than five minutes ahead, and not over before it began.
                #expect(isTaken == (-86_399..<300).contains(offset), "\(offset): \(put.text)")
                _ = try wrong.dht("put", "the same", "wrong by \(offset)")
                _ = try wrong.dht("del", "deleted")
                try set(0)
                try exchange("\(offset) s while it ran")
                try rewrite("by \(offset) s while it ran")

                try set(offset)
                wrong.kill()
                sweep(after: wrong)
                wrong = try members.start("wrong", peers: [one.uri], listen: address, variables: variables)
                _ = try wrong.dht("put", "the same", "wrong again by \(offset)")
                _ = try wrong.dht("del", "deleted")
                try set(0)
                try exchange("\(offset) s at its start")
                try rewrite("by \(offset) s at its start")
                #expect(!wrong.log.contains("isolat"))
            }
            wrong.kill()
            sweep(after: wrong)
            for node in [one, two] { #expect(!node.log.contains("isolat")) }
        }
    }
}
