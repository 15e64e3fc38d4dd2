import DHTCore
import DHTEngine
import DHTEnvelope

// The network of a world: from one engine's `transmit` to another's `receive`.

extension World {
    /// Datagrams that somebody on the wire keeps.
    private static let captureLimit = 256

    func send(_ datagram: [UInt8], from node: SimulatedNode, to destination: Endpoint) {
        guard let source = node.endpoints.first(where: { $0.family == destination.family }) else {
            return violate("families", "n\(node.index) sends to \(destination), and has no such socket")
        }
        traffic.datagrams += 1
        traffic.bytes += UInt64(datagram.count)
        trace.record(clock, 6 << 56 | UInt64(node.index) << 24 | UInt64(datagram.count), destination.word)
        guard let receiver = owner(of: destination) else {
            trace.tell(clock) { "n\(node.index) > \(destination) \(datagram.count) bytes, nobody is there" }
            return
        }
        trace.tell(clock) {
            let summary = plan.sealing == .standIn ? " " + StandInGate.summary(of: datagram) : ""
            return "n\(node.index) > n\(receiver.index) \(datagram.count) bytes\(summary)"
        }
        let delivery = Delivery(
            bytes: datagram,
            source: source,
            sender: Int32(node.index),
            receiver: Int32(receiver.index),
            port: destination.port,
            isAdmitted: !plan.isWatched || node.policy.admits(receiver.identity),
            serial: traffic.datagrams
        )
        if captures { capture(delivery) }
        if promisesHaste, plan.sealing == .standIn { countGift(datagram, from: node, to: receiver) }
        inject(delivery)
    }

    /// The node whose address it is; whether it is there now, and on this port, shows when something arrives.
    func owner(of endpoint: Endpoint) -> SimulatedNode? {
        guard let index = Self.index(at: endpoint), index < nodes.count else { return nil }
        return nodes[index].families.contains(endpoint.family) ? nodes[index] : nil
    }

    /// Where the node with that index is.
    static func address(of index: Int, _ family: Endpoint.Family, port: UInt16) -> Endpoint {
        let address = firstAddress + UInt32(index)
        switch family {
        case .ipv4: return Endpoint(ipv4: address, port: port)
        case .ipv6:
            var bytes: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 8)
            bytes.appendBigEndian(address)
            guard let endpoint = Endpoint(addressBytes: bytes, port: port) else {
                preconditionFailure("an address of \(bytes.count) bytes")
            }
            return endpoint
        }
    }

    /// Where the node with that index is: one place of each of its families.
    static func addresses(of index: Int, _ families: Endpoint.Families, port: UInt16) -> [Endpoint] {
        [Endpoint.Family.ipv4, .ipv6].filter { families.contains($0) }
            .map { address(of: index, $0, port: port) }
    }

    /// Which index belongs to an address, if any may.
    private static func index(at endpoint: Endpoint) -> Int? {
        let address = endpoint.addressEnd
        guard address >= firstAddress else { return nil }
        let index = Int(address - firstAddress)
        return self.address(of: index, endpoint.family, port: endpoint.port) == endpoint ? index : nil
    }

    /// Puts a datagram on the network, where what befalls it is up to its conditions.
    func inject(_ delivery: Delivery) {
        let (source, destination) = (nodes[Int(delivery.sender)], nodes[Int(delivery.receiver)])
        var isLost = source.group != destination.group
        if let mtu = conditions.mtu, delivery.bytes.count > mtu { isLost = true }
        if !blocked.isEmpty, blocked.contains([delivery.sender, delivery.receiver]) { isLost = true }
        if isLost {
            traffic.lost += 1
            return
        }
        for _ in 0..<(chance.happens(conditions.duplication) ? 2 : 1) {
            if chance.happens(conditions.loss) {
                traffic.lost += 1
                continue
            }
            let delay = conditions.delay(from: source.index, to: destination.index, using: &chance)
            let departure = max(clock, source.cloggedUntil)
            queue.insert(.delivery(spoilt(delivery)), at: departure + delay)
        }
    }

    /// Sends on what somebody on the wire kept: the same bytes, perhaps from elsewhere, perhaps to another.
    func replayCaptured(using chance: inout SeededRandom) {
        guard let kept = captured.randomElement(using: &chance) else { return }
        let receiver = chance.happens(0.7) ? kept.receiver : Int32(chance.index(below: nodes.count))
        let thief = nodes[chance.index(below: nodes.count)]
        let isMoved = chance.happens(0.5)
        let families = nodes[Int(receiver)].families
        let family: Endpoint.Family = families.contains(.ipv4) ? .ipv4 : .ipv6
        let source = isMoved ? Self.address(of: 0x0080_0000, family, port: 9) : kept.source
        // Nothing comes by a family of which the receiver has no socket.
        guard families.contains(source.family) else { return }
        inject(
            Delivery(
                bytes: kept.bytes,
                source: source,
                sender: isMoved ? Int32(thief.index) : kept.sender,
                receiver: receiver,
                port: nodes[Int(receiver)].port,
                isAdmitted: receiver == kept.receiver && kept.isAdmitted,
                serial: kept.serial
            )
        )
    }

    private func capture(_ delivery: Delivery) {
        if captured.count < Self.captureLimit {
            captured.append(delivery)
        } else {
            captured[chance.index(below: Self.captureLimit)] = delivery
        }
    }

    /// The datagram as a bad line leaves it.
    private func spoilt(_ delivery: Delivery) -> Delivery {
        guard chance.happens(conditions.corruption) else { return delivery }
        var bytes = delivery.bytes
        if chance.happens(0.3) {
            bytes.removeLast(1 + chance.index(below: bytes.count))
        } else if plan.sealing == .standIn {
            bytes[bytes.count - 1] = 0  // what does not authenticate shows all damage at one place
        } else {
            for _ in 0...chance.index(below: 3) {
                bytes[chance.index(below: bytes.count)] ^= 1 << UInt8(chance.index(below: 8))
            }
            if bytes == delivery.bytes { bytes[0] ^= 1 }
        }
        return Delivery(
            bytes: bytes,
            source: delivery.source,
            sender: delivery.sender,
            receiver: delivery.receiver,
            port: delivery.port,
            isAdmitted: delivery.isAdmitted,
            serial: delivery.serial
        )
    }

    // MARK: Watching

    /// Looks at what became of a datagram.
    func judge(_ disposition: Disposition, isAnswer: Bool, of delivery: Delivery, at node: SimulatedNode) {
        switch disposition {
        case .accepted:
            trace.record(clock, 7 << 56 | UInt64(node.index))
            trace.tell(clock) { "n\(node.index) < n\(delivery.sender) accepted" }
        case .dropped(let reason):
            trace.record(clock, 8 << 56 | UInt64(node.index), reason.number)
            trace.tell(clock) { "n\(node.index) < n\(delivery.sender) dropped: \(reason.name)" }
        }
        guard plan.isWatched else { return }
        let sender = nodes[Int(delivery.sender)]
        let isOwnAddress = sender.endpoints.contains { $0.hasAddress(of: delivery.source) }
        if isAnswer, isOwnAddress {
            node.answerers.insert(Int(delivery.sender))
        }
        if disposition == .accepted, !isAnswer { recordRequest(delivery, at: node) }
        // A datagram that reaches a node its sender does not admit must have been meant for another.
        if !delivery.isAdmitted, sender.isHonest, !disposition.isUnread {
            violate("admission", "n\(sender.index) sent to n\(node.index), whom it does not admit")
        }
        if disposition == .accepted, node.isHonest, !node.policy.admits(sender.identity),
            isOwnAddress
        {
            violate("admission", "n\(node.index) accepted what n\(sender.index) sent, and does not admit it")
        }
    }
}

extension World {
    /// A process takes no request twice, however often it comes. Worlds that begin at rest let it.
    private func recordRequest(_ delivery: Delivery, at node: SimulatedNode) {
        guard node.isHonest, plan.beginning != .settled, captures || conditions.duplication > 0 else {
            return
        }
        if !node.accepted.insert(delivery.serial).inserted {
            violate("replay", "n\(node.index) took one request of n\(delivery.sender) twice")
        }
    }
}

extension Disposition {
    /// Whether the receiver could not even read whom it was from.
    fileprivate var isUnread: Bool {
        switch self {
        case .dropped(.header), .dropped(.length): true
        default: false
        }
    }
}

extension DropReason {
    /// Its place in the order of checks.
    fileprivate var number: UInt64 { UInt64(Self.allCases.firstIndex(of: self) ?? 0) }
}

extension Endpoint {
    /// Address and port in one word; of IPv6 the end of the address.
    fileprivate var word: UInt64 {
        UInt64(family == .ipv4 ? 0 : 1) << 48 | UInt64(addressEnd) << 16 | UInt64(port)
    }
}
