import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import DHTGateway

/// Room for long values, and what comes and goes without any.
struct ValueRoomTests {
    @Test func `room is given in the order it was asked for`() {
        var book = RoomBook(capacity: 100)
        let first = book.ask(for: 60)
        let second = book.ask(for: 50)
        let third = book.ask(for: 10)
        #expect(first.isGranted && !second.isGranted && !third.isGranted)
        #expect(book.taken == 60)
        #expect(book.isWaiting(third.name), "it would keep the second one waiting")
        #expect(book.leave(first.name) == [second.name, third.name])
        #expect(book.taken == 60)
        #expect(book.leave(third.name) == [])
        #expect(book.leave(second.name) == [])
        #expect(book.leave(second.name) == [] && book.taken == 0, "once is enough")
    }

    @Test func `who waits no longer makes room for the next, and more than all is all`() {
        var book = RoomBook(capacity: 100)
        let first = book.ask(for: 1)
        let second = book.ask(for: 1000)
        let third = book.ask(for: 99)
        #expect(first.isGranted && !second.isGranted && !third.isGranted)
        #expect(book.leave(second.name) == [third.name])
        #expect(book.leave(first.name) == [])
        #expect(book.leave(third.name) == [])
        #expect(book.ask(for: 1000).isGranted && book.taken == 100)
    }

    @Test func `who finds no room in time is told so, and leaves`() async throws {
        let room = ValueRoom(100_000, patience: .milliseconds(100))
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let first = try await room.enter(80_000, on: loop)
        await #expect(throws: Busy.self) { try await room.enter(80_000, on: loop) }
        let short = try await room.enter(ValueRoom.leastLength, on: loop)
        short.leave()
        let cancelled = Task { try await room.enter(80_000, on: loop) }
        cancelled.cancel()
        await #expect(throws: (any Error).self) { try await cancelled.value }
        first.leave()
        let next = try await room.enter(100_000, on: loop)
        next.leave()
    }

    @Test func `a body is the same from memory and from a file that has no name`() async throws {
        let folder = try Folder()
        for lengths in [[], [10], [60_000, 5536], [60_000, 5537], [1, 70_000, 0, 3]] as [[Int]] {
            let spool = BodySpool(in: folder.path)
            var expected: [UInt8] = []
            for (index, length) in lengths.enumerated() {
                let part = [UInt8](repeating: UInt8(index + 1), count: length)
                expected += part
                try await spool.append(ByteBuffer(bytes: part))
            }
            #expect(spool.count == expected.count)
            #expect(try folder.names().isEmpty)
            #expect(spool.bytes(in: 0..<expected.count) == expected)
            let middle = expected.count / 3..<expected.count / 2
            #expect(spool.bytes(in: middle) == Array(expected[middle]))
        }
        let nowhere = BodySpool(in: folder.file("nowhere"))
        let long = ByteBuffer(repeating: 7, count: 70_000)
        let failure = await #expect(throws: Failure.self) { try await nowhere.append(long) }
        #expect(failure?.message.contains("No such file or directory. Nothing was written") == true)
    }

    /// Of each kind of value, as the control socket writes it when it is long.
    @Test func `long values in JSON are the same as short ones`() throws {
        let text = Array("\"quotes\" \\ / \u{8}\u{C}\n\r\t\u{0}\u{1F} ä€😀 end".utf8)
        let bytes: [UInt8] = [0xFF, 0, 1, 2, 3]
        for values in [[text], [bytes], [text, bytes, text], [bytes, text], [[], bytes]] {
            let replies = values.map {
                ValueReply(
                    value: Octets($0),
                    author: .init(id: "dht1b", name: "beta"),
                    revision: 117_324_213_452_374_017,
                    expires: 1_795_000_000,
                    copies: .init(found: 3)
                )
            }
            let whole = GetReply(key: Octets([0xFE]), values: replies, answered: 3, asked: 4)
            var frame = ValueText.Frame(of: whole, values[0])
            var written: [UInt8] = []
            for _ in 0..<2 { written += frame.next() + frame.text(of: values[0][...]) }
            written += frame.next()
            for (reply, value) in zip(replies, values).dropFirst() {
                var frame = ValueText.Frame(of: reply, value)
                written += ValueText.separator + frame.next() + frame.text(of: value[...]) + frame.next()
            }
            written += frame.next()
            #expect(
                String(decoding: written, as: UTF8.self)
                    == String(decoding: ReplyCoding.encode(whole), as: UTF8.self)
            )
        }
    }
}
