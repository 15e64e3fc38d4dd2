/// What we do before we leave.
struct Handover: Sendable {
    /// STOREs and PINGs under way at once.
    static let parallelism = 32

    var operation: OperationID?
    /// Everybody has been told, or is being told.
    var hasSaidGoodbye = false
    var goodbyes = 0
}

extension KademliaNode {
    /// Gives each record to those who take our place and then, as long as time is, to all others who may lack
    /// it; then says goodbye to everybody.
    mutating func beginLeaving(as name: OperationID, at now: Now, into actions: inout [KademliaAction]) {
        guard handover.operation == nil else {
            actions.append(.finished(name, .left))
            return
        }
        handover.operation = name
        handover.hasSaidGoodbye = false
        // What we were about to give is part of what we hand over.
        replication.unhandled = []
        replication.awaitingSecondTurn = []
        replication.offers = []
        replication.walk = table.count == 0 ? nil : .init(purpose: .leaving(isLast: false))
        continueLeaving(at: now, into: &actions)
    }

    /// Who has the record once we are gone: who moves up in our place, or (`isLast`) those who were as close
    /// as we are and may lack it all the same.
    func nextReplicas(of location: NodeID, isLast: Bool) -> [Contact] {
        union(of: divisions) { family in
            let closest = table.closest(to: location, count: settings.replicas, having: family)
            if closest.count < settings.replicas { return isLast ? [] : closest }
            return isLast ? closest.dropLast() : closest.suffix(1)
        }
    }

    mutating func continueLeaving(at now: Now, into actions: inout [KademliaAction]) {
        while let walk = replication.walk, replication.offers.count < Handover.parallelism {
            takeSlices(at: now, into: &actions)
            if replication.walk == nil, case .leaving(isLast: false) = walk.purpose {
                replication.walk = .init(purpose: .leaving(isLast: true))
            }
        }
        sendOffers(at: now, into: &actions)
        guard replication.walk == nil, replication.offers.isEmpty, replication.inFlight <= 0 else { return }
        if !handover.hasSaidGoodbye {
            handover.hasSaidGoodbye = true
            for entry in table.contacts where entry.reachability.grade != .bad {
                handover.goodbyes += 1
                call(entry.contact, .ping(isLeaving: true), .goodbye, into: &actions)
            }
        }
        guard handover.goodbyes == 0, let operation = handover.operation else { return }
        handover.operation = nil
        actions.append(.finished(operation, .left))
    }

    mutating func saidGoodbye(at now: Now, into actions: inout [KademliaAction]) {
        handover.goodbyes -= 1
        continueLeaving(at: now, into: &actions)
    }
}
