/// Records on their way to others because we leave.
struct Handover: Sendable {
    /// STOREs under way at once.
    static let parallelism = 32

    var operation: OperationID?
    var locations: [NodeID] = []
    /// Records read, with those who are to have them.
    var offers: [(Record, Contact)] = []
    var isReading = false
    var inFlight = 0
    var hasSaidGoodbye = false
}

extension KademliaNode {
    /// Gives each record to the closest nodes that may lack it, then says goodbye to everybody.
    mutating func beginLeaving(as name: OperationID, at now: Now, into actions: inout [KademliaAction]) {
        guard handover.operation == nil else {
            actions.append(.finished(name, .left))
            return
        }
        handover.operation = name
        handover.locations = table.count == 0 ? [] : catalog.locations.reversed()
        continueLeaving(at: now, into: &actions)
    }

    mutating func handOver(_ records: [Record], at now: Now, into actions: inout [KademliaAction]) {
        handover.isReading = false
        for record in records where record.expiry > now.unixMilliseconds {
            for contact in table.closest(to: record.location, count: settings.replicas) {
                handover.offers.append((record, contact))
            }
        }
        continueLeaving(at: now, into: &actions)
    }

    mutating func handoverAdvanced(at now: Now, into actions: inout [KademliaAction]) {
        handover.inFlight -= 1
        continueLeaving(at: now, into: &actions)
    }

    private mutating func continueLeaving(at now: Now, into actions: inout [KademliaAction]) {
        while handover.inFlight < Handover.parallelism, let (record, contact) = handover.offers.popLast() {
            handover.inFlight += 1
            call(contact, .store(record, condition: nil), .handover, into: &actions)
        }
        if handover.offers.isEmpty, !handover.isReading, let location = handover.locations.popLast() {
            handover.isReading = true
            actions.append(.load(ticket(for: .handover), location: location, author: nil))
            return
        }
        guard handover.inFlight == 0, !handover.isReading, handover.offers.isEmpty else { return }
        if !handover.hasSaidGoodbye {
            handover.hasSaidGoodbye = true
            for entry in table.contacts where entry.reachability.grade != .bad {
                handover.inFlight += 1
                call(entry.contact, .ping(isLeaving: true), .goodbye, into: &actions)
            }
            if handover.inFlight > 0 { return }
        }
        guard let operation = handover.operation else { return }
        handover.operation = nil
        actions.append(.finished(operation, .left))
    }
}
