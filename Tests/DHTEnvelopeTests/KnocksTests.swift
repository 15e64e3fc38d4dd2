import DHTCore
import Testing

@testable import DHTEnvelope

/// Who asks in vain, as a node remembers it.
struct KnocksTests {
    private var knocks = Knocks()
    private let start = Instant(nanoseconds: 1_000_000_000)

    private static func identity(_ number: Int) -> Identity {
        var bytes = [UInt8](repeating: 7, count: 32)
        (bytes[0], bytes[1]) = (UInt8(number >> 8), UInt8(number & 0xFF))
        return certain(Identity(bytes))
    }

    private func place(_ number: UInt16) -> Endpoint { Endpoint(ipv4: 0x0A00_0001, port: number) }

    @Test mutating func `each is told of once an hour as long as it knocks`() {
        let one = Self.identity(1)
        for second in 0..<3600 as Range<UInt64> {
            knocks.record(one, from: place(1), at: start + .seconds(second))
        }
        #expect(knocks.takeNews().map(\.identity) == [one])
        #expect(!knocks.hasNews)
        knocks.record(one, from: place(2), at: start + .seconds(3600))
        #expect(knocks.hasNews)
        let news = knocks.takeNews()
        #expect(news == knocks.all)
        #expect(news.first?.count == 3601)
        #expect(news.first?.endpoint == place(2))
    }

    @Test mutating func `those that knocked last come first`() {
        for number in 1...3 {
            knocks.record(Self.identity(number), from: place(1), at: start + .seconds(UInt64(number)))
        }
        knocks.record(Self.identity(1), from: place(1), at: start + .seconds(9))
        #expect(knocks.all.map(\.identity) == [1, 3, 2].map(Self.identity))
    }

    @Test
    mutating func `whoever invents identities fills the table for an hour, and the log with so many lines`() {
        var lines = 0
        for number in 0..<1000 {
            knocks.record(Self.identity(number), from: place(1), at: start + .seconds(UInt64(number)))
            lines += knocks.takeNews().count
        }
        #expect(lines == Knocks.capacity)
        #expect(knocks.all.count == Knocks.capacity)
        let late = start + .seconds(3600)
        knocks.record(Self.identity(2000), from: place(1), at: late)
        #expect(knocks.all.first?.identity == Self.identity(2000))
        #expect(!knocks.all.contains { $0.identity == Self.identity(0) })
        #expect(knocks.all.count == Knocks.capacity)
    }

    @Test mutating func `who is admitted is forgotten`() {
        knocks.record(Self.identity(1), from: place(1), at: start)
        knocks.record(Self.identity(2), from: place(1), at: start)
        knocks.forget { $0 == Self.identity(1) }
        #expect(knocks.all.map(\.identity) == [Self.identity(2)])
        #expect(knocks.takeNews().map(\.identity) == [Self.identity(2)])
    }
}
