import Glibc
import Synchronization
import Testing

@testable import SecureDHT

@Suite struct CrewTests {
    @Test(arguments: [1, 2, 3, 8], [0, 1, 2, 3, 5, 6, 7, 32, 1000])
    func `each piece of work is done once`(size: Int, count: Int) {
        let done = Mutex([Int](repeating: 0, count: count))
        Crew(size: size).perform(count) { index in done.withLock { $0[index] += 1 } }
        #expect(done.withLock { $0 } == [Int](repeating: 1, count: count))
    }

    @Test(arguments: [-1, 0, 1])
    func `a crew of one works alone`(size: Int) async {
        let threads = Mutex(Set<UInt>())
        Crew(size: size).perform(100) { _ in _ = threads.withLock { $0.insert(pthread_self()) } }
        #expect(threads.withLock { $0 } == [pthread_self()])
    }

    @Test func `a crew is more than one thread`() {
        let threads = Mutex(Set<UInt>())
        // Each waits for another before it goes on: alone it would wait in vain.
        let meeting = Atomic(0)
        Crew(size: 2).perform(6) { _ in
            _ = threads.withLock { $0.insert(pthread_self()) }
            meeting.add(1, ordering: .relaxed)
            while meeting.load(ordering: .relaxed) < 2 {}
        }
        #expect(threads.withLock { $0.count } == 2)
    }
}
