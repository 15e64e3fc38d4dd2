import DHTCore
import Testing

@testable import DHTEnvelope

@Suite struct VerifiedRecordsTests {
    /// Records that differ in their revision; nobody verifies them here.
    private func numbered(_ number: UInt64) -> Record {
        var bytes = record(by: "alice").bytes
        var revision: [UInt8] = []
        revision.appendBigEndian(number)
        bytes.replaceSubrange(38..<46, with: revision)
        return certain(RecordCodec.decode(bytes))
    }

    @Test func `what was put in is there`() {
        var verified = VerifiedRecords()
        #expect(!verified.contains(numbered(1)))
        verified.insert(numbered(1))
        #expect(verified.contains(numbered(1)))
        #expect(!verified.contains(numbered(2)))
    }

    @Test func `of 2048 and one more the first is forgotten`() {
        let first = numbered(0)
        var verified = VerifiedRecords()
        let records = (0...2050 as ClosedRange<UInt64>).map { number -> Record in
            var bytes = first.bytes
            bytes[44] = UInt8(number >> 8)
            bytes[45] = UInt8(number & 0xFF)
            return certain(RecordCodec.decode(bytes))
        }
        for record in records[..<2048] { verified.insert(record) }
        verified.insert(records[0])  // once more, which counts for nothing
        #expect(verified.contains(records[0]))
        for record in records[2048...] { verified.insert(record) }
        let found = records.count { verified.contains($0) }
        #expect(found == 2048)
        #expect([0, 2, 3].map { verified.contains(records[$0]) } == [false, false, true])
    }
}
