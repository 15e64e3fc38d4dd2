import DHTCore
import Dispatch
import Synchronization
import Testing

@testable import SecureDHT

/// Counts on any thread.
private final class Tally: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    func add() { value.withLock { $0 += 1 } }
}

/// The system's resolver, and one that says nothing.
@Suite struct HostResolverTests {
    @Test func `a name has all its addresses, each once`() async {
        let found = await HostResolver.shared.addresses(of: HostPort(host: "localhost", port: 7))
        #expect(!found.isEmpty && Set(found).count == found.count)
        #expect(found.allSatisfy { $0.isLoopback && $0.port == 7 })
        #expect(
            await HostPort(host: "192.0.2.1", port: 7).resolve() == [Endpoint(ipv4: 0xC000_0201, port: 7)]
        )
    }

    @Test func `a host that no resolver can ever know is told from one that may come`() {
        let label = String(repeating: "x", count: 63)
        for host in [
            "a.invalid", "a.INVALID.", "", "a..b", label + "x.org",
            [label, label, label, label].joined(separator: "."),
        ] {
            #expect(HostPort(host: host, port: 1).isNobody, "\(host)")
        }
        for host in [
            "a", "a.example", "a.example.", "invalid.org", "127.0.0.1", "::1", label + ".org", "localhost",
        ] {
            #expect(!HostPort(host: host, port: 1).isNobody, "\(host)")
        }
    }

    @Test func `however many names get no answer, no more than there are threads for are asked at once`()
        async
    {
        let silence = DispatchSemaphore(value: 0)
        let asked = Tally()
        let resolver = HostResolver { _ in
            asked.add()
            silence.wait()
            return [Endpoint(ipv4: 1, port: 1)]
        }
        let count = HostResolver.capacity + 10
        let answers = await withTaskGroup(of: Int.self) { group in
            for number in 0..<count {
                group.addTask { await resolver.addresses(of: HostPort(host: "h\(number)", port: 1)).count }
            }
            // Those that find no place are told so while all others wait.
            var answers: [Int] = []
            while answers.count < 10, let answer = await group.next() { answers.append(answer) }
            #expect(answers.allSatisfy { $0 == 0 })
            #expect(asked.count <= HostResolver.threads)
            for _ in 0..<count { silence.signal() }
            for await answer in group { answers.append(answer) }
            return answers
        }
        #expect(answers.count { $0 == 1 } == HostResolver.capacity)
    }
}
