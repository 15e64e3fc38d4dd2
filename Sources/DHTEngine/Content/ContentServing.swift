import DHTCore
import DHTEnvelope

// Content of ours that others, or our own users, are given: part by part from the store.

extension GatedEngine where Keeper: ~Copyable {
    /// Gives somebody a part, or one chunk of it, now or when it was read.
    mutating func serve(
        _ name: PartName,
        to recipient: Transfers.Recipient,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let holding = transfers.inventory[name.content], holding.has(name.part) else {
            return deliver(nil, as: name, to: recipient, at: now, into: &actions)
        }
        if let bytes = transfers.cache.bytes(of: name) {
            return deliver(bytes, as: name, to: recipient, at: now, into: &actions)
        }
        transfers.loads[name, default: []].append(recipient)
        guard transfers.loads[name]?.count == 1 else { return }
        actions.append(.loadPart(transfers.ticket(for: .part(name)), of: name.content, name.part))
    }

    mutating func deliver(
        _ bytes: [UInt8]?,
        as name: PartName,
        to recipient: Transfers.Recipient,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        switch recipient {
        case .inbound(let id, let chunk):
            let range = transfers.inventory[name.content]?.reference.range(of: chunk, in: name.part)
            guard let bytes, let range, range.upperBound <= bytes.count else {
                return reply(id, .absent, at: now, into: &actions)
            }
            counters.chunksServed += 1
            reply(id, .chunk(Array(bytes[range])), at: now, into: &actions)
        case .mending:
            transfers.mending.looked(at: now.instant)
            mendContent(at: now, into: &actions)
        case .reading(let operation):
            transfers.inventory.touch(name.content, at: now.instant)
            partRead(bytes, name.part, of: operation, at: now, into: &actions)
        }
    }
}
