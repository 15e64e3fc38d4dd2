import DHTCore
import DHTEnvelope

// Datagrams of gates that seal nothing, as those who watch the network read them.

extension StandInGate {
    /// The record that a datagram of such a gate gives to its receiver.
    static func gift(in datagram: [UInt8]) -> Record? {
        guard datagram.count > headerLength, datagram[0] == requestKind,
            datagram[1] == OperationCode.store.rawValue,
            case .store(let record, _)? = body(of: datagram).flatMap(MessageCodec.decodeRequest)
        else { return nil }
        return record
    }

    /// The content of a datagram of such a gate, in a few words.
    static func summary(of datagram: [UInt8]) -> String {
        guard datagram.count > headerLength, let operation = OperationCode(rawValue: datagram[1]) else {
            return "?"
        }
        let kind = datagram[0] == requestKind ? "request" : "response \(datagram[2])"
        let payload = datagram[headerLength...]
        if datagram[0] == requestKind, operation == .findNode || operation == .findValue {
            return "\(operation) \(kind) near \(hexadecimal(payload.prefix(4)))"
        }
        if datagram[0] == requestKind, operation == .store,
            case .store(let record, _)? = body(of: datagram).flatMap(MessageCodec.decodeRequest)
        {
            return "\(operation) \(kind): \(record.text)"
        }
        guard operation == .findValue, datagram[0] == responseKind, datagram[2] == 0 else {
            return "\(operation) \(kind)"
        }
        let total: UInt16 = payload.bigEndian()
        return "\(operation) \(kind), \(payload[payload.startIndex + 2]) of \(total) records"
    }
}
