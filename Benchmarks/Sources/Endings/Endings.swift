import Crowd
import Glibc
import NIOPosix
import SecureDHT

/// The time in which a call returns once its task is cancelled or its time is over, what many of them leave
/// behind, and how long many nodes take to stop at once.
///
///     endings [NODES [SECONDS]]
///
/// The nodes that stop at once have been together for so many seconds. Newcomers may lack records, and are
/// given all of them: 75 s after a start that is over.
@main
enum Endings {
    static let (rounds, many) = (200, 10_000)

    enum Call: CaseIterable {
        case put, get, ping, delete, longPut
    }

    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        let (count, together) = (numbers.first ?? 50, numbers.dropFirst().first ?? 6)
        // The first has a loop of its own, as in a process of its own.
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var nodes = try await Crowd.start(8, firstOn: loop)
        try await nodes[0].put(text, for: "key")
        print("milliseconds from the end of a call's task, or of its time, to its return: median, 99 %, most")
        for areDead in [false, true] {
            if areDead { for node in nodes.dropFirst() { await node.abandon() } }
            for call in Call.allCases { try await measure(call, at: nodes, areDead: areDead) }
        }
        try await repeated(at: nodes[0], peer: nodes[1].identity)
        await nodes[0].stop()

        nodes = try await Crowd.start(count)
        try await Task.sleep(for: .seconds(together))
        for number in 0..<100 { _ = try? await nodes[number % count].put(text, for: "key \(number)") }
        let time = await ContinuousClock().measure {
            await withTaskGroup(of: Void.self) { group in
                for node in nodes { group.addTask { await node.stop() } }
            }
        }
        print("\(count) nodes that stop at once take \(time)")
    }

    static let text = "a value of some length"
    static let long = [UInt8](repeating: 7, count: 16 << 20)

    static func perform(_ call: Call, at node: DHTNode, _ peer: Identity, _ timeout: Duration? = nil)
        async throws
    {
        switch call {
        case .put: try await node.put(text, for: "key", options: PutOptions(timeout: timeout))
        case .get: _ = try await node.get("key", options: GetOptions(timeout: timeout))
        case .ping: _ = try await node.ping(peer, timeout: timeout)
        case .delete: try await node.delete("key", timeout: timeout)
        case .longPut: try await node.put(long, for: "long", options: PutOptions(timeout: timeout))
        }
    }

    /// Those calls alone count that were not over before.
    static func measure(_ call: Call, at nodes: [DHTNode], areDead: Bool) async throws {
        let (node, peer, clock) = (nodes[0], nodes[1].identity, ContinuousClock())
        var (cancelled, timedOut): ([Duration], [Duration]) = ([], [])
        for round in 0..<(call == .longPut ? 20 : rounds) {
            let task = Task { () -> (ContinuousClock.Instant, Bool) in
                do { try await perform(call, at: node, peer) } catch is CancellationError {
                    return (clock.now, true)
                }
                return (clock.now, false)
            }
            let pause = Duration.microseconds(call == .longPut ? round * 10_000 : round * 5)
            try await Task.sleep(for: pause)
            let start = clock.now
            task.cancel()
            if let (end, isCancelled) = try? await task.value, isCancelled { cancelled.append(end - start) }

            let timeout = Duration.microseconds(call == .longPut ? 40_000 : 100)
            let begun = clock.now
            do { try await perform(call, at: node, peer, timeout) } catch let error as DHTError
                where error.code == .timedOut
            { timedOut.append(clock.now - begun - timeout) } catch {}
        }
        let state = areDead ? "all peers dead" : "all peers alive"
        print("  \(call), \(state): cancelled \(row(cancelled)); timed out \(row(timedOut))")
    }

    static func row(_ times: [Duration]) -> String {
        guard !times.isEmpty else { return "none" }
        let sorted = times.sorted().map { $0 / .milliseconds(1) }
        let picks = [sorted[sorted.count / 2], sorted[sorted.count * 99 / 100], sorted[sorted.count - 1]]
        return picks.map { "\(($0 * 100).rounded() / 100)" }.joined(separator: ", ") + " of \(sorted.count)"
    }

    static func repeated(at node: DHTNode, peer: Identity) async throws {
        var lines: [String] = []
        for round in 0..<3 {
            lines.append("  after \(round * many) cancelled calls: \(state())")
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<many {
                    let call = [Call.put, .get, .ping, .delete][number % 4]
                    group.addTask {
                        let task = Task { try await perform(call, at: node, peer) }
                        if number % 2 == 0 { await Task.yield() }
                        task.cancel()
                        _ = await task.result
                    }
                    if number % 100 == 99 { await group.waitForAll() }
                }
            }
            try await Task.sleep(for: .seconds(1))
        }
        lines.append("  after \(3 * many): \(state())")
        print(lines.joined(separator: "\n"))
    }

    /// Descriptors and resident memory of this process.
    static func state() -> String {
        var pages = ""
        if let file = unsafe fopen("/proc/self/statm", "r") {
            var buffer = [CChar](repeating: 0, count: 256)
            _ = unsafe fgets(&buffer, 256, file)
            unsafe fclose(file)
            pages = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        let resident = pages.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let open = (0..<4096 as Range<Int32>).count { fcntl($0, F_GETFD) >= 0 }
        return "\(open) descriptors, \((resident * 4096) >> 20) MiB"
    }
}
