import DHTCore
import Testing

@testable import DHTEngine

struct CallTableTests {
    private var table = CallTable()

    private func call(_ number: UInt64, transaction: UInt64? = nil, transmissions: Int = 1) -> OutgoingCall {
        guard let identity = Identity([UInt8](repeating: UInt8(number), count: 32)) else {
            preconditionFailure("32 bytes are 32 bytes")
        }
        let contact = Contact(
            identity: identity,
            id: NodeID(firstByte: UInt8(number)),
            endpoint: Endpoint(ipv4: 0x0A00_0001, port: UInt16(number))
        )
        return OutgoingCall(
            id: CallID.core(number),
            contact: contact,
            request: .ping(isLeaving: false),
            isConfigured: false,
            transaction: transaction ?? 100 + number,
            needsPingFirst: false,
            transmissions: transmissions,
            firstSent: at(0)
        )
    }

    private mutating func due(at seconds: UInt64) -> [CallID] {
        var calls: [CallID] = []
        while let call = table.popDue(at: at(seconds)) {
            calls.append(call.id)
            table.remove(call.id)
        }
        return calls
    }

    @Test mutating func `calls fall due in order of time, then of age`() {
        table.keep(call(1), due: at(9))
        table.keep(call(3), due: at(5))
        table.keep(call(2), due: at(5))
        #expect(table.nextDeadline == at(5))
        #expect(due(at: 4) == [])
        #expect(due(at: 9) == [.core(2), .core(3), .core(1)])
        #expect(table.nextDeadline == nil)
        #expect(table.count == 0)
    }

    @Test mutating func `a call is found by its name and by its transaction`() {
        table.keep(call(1), due: at(1))
        #expect(table[CallID.core(1)]?.transaction == 101)
        #expect(table[transaction: 101]?.id == CallID.core(1))
        #expect(table[transaction: 7] == nil)
        table.remove(CallID.core(1))
        #expect(table[transaction: 101] == nil)
    }

    @Test mutating func `a call with a new transaction is no more found by the old one`() {
        table.keep(call(1), due: at(1))
        table.keep(call(1, transaction: 500), due: at(2))
        #expect(table[transaction: 101] == nil)
        #expect(table[transaction: 500] != nil)
        #expect(table.count == 1)
        #expect(table.nextDeadline == at(2))
    }

    @Test mutating func `a call sent again is due by its last transmission alone`() {
        table.keep(call(1), due: at(1))
        table.keep(call(1, transmissions: 2), due: at(3))
        #expect(table.nextDeadline == at(3))
        #expect(due(at: 2) == [])
        #expect(due(at: 3) == [.core(1)])
    }

    @Test mutating func `a call that was answered never falls due`() {
        table.keep(call(1), due: at(1))
        table.remove(CallID.core(1))
        table.remove(CallID.core(1))
        #expect(table.nextDeadline == nil)
        #expect(due(at: 10) == [])
    }
}
