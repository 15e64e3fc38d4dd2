import DHTCore
import DHTEnvelope

// Content of ours that others, or our own users, are given: part by part from the store.

extension ContentTransfers {
    /// A peer asks for a chunk of a part.
    mutating func asked(
        for chunk: Int,
        of name: PartName,
        by peer: Identity,
        _ id: RequestID,
        _ turn: inout ContentTurn
    ) {
        wants.asked(for: name.content, by: peer, at: turn.now.instant)
        serve(name, to: .inbound(id, chunk: chunk), &turn)
    }

    /// Gives somebody a part, or one chunk of it, now or when it was read.
    mutating func serve(
        _ name: PartName,
        to recipient: Recipient,
        _ turn: inout ContentTurn
    ) {
        guard let holding = inventory[name.content], holding.has(name.part) else {
            return deliver(nil, as: name, to: recipient, &turn)
        }
        if let bytes = cache.bytes(of: name) {
            return deliver(bytes, as: name, to: recipient, &turn)
        }
        loads[name, default: []].append(recipient)
        guard loads[name]?.count == 1 else { return }
        turn.perform(.loadPart(ticket(for: .part(name)), of: name.content, name.part))
    }

    mutating func deliver(
        _ bytes: [UInt8]?,
        as name: PartName,
        to recipient: Recipient,
        _ turn: inout ContentTurn
    ) {
        switch recipient {
        case .inbound(let id, let chunk):
            let range = inventory[name.content]?.reference.range(of: chunk, in: name.part)
            guard let bytes, let range, range.upperBound <= bytes.count else {
                return turn.reply(id, .absent)
            }
            counters.chunksServed += 1
            turn.reply(id, .chunk(Array(bytes[range])))
        case .mending:
            mending.looked(at: turn.now.instant)
            mendContent(&turn)
        case .reading(let operation):
            inventory.touch(name.content, at: turn.now.instant)
            partRead(bytes, name.part, of: operation, &turn)
        }
    }
}
