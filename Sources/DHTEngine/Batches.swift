import DHTCore
import DHTEnvelope

// Datagrams that arrive together pass the gate together. It examines one after the other, opens at once all
// that are worth it, on as many threads as there are, and takes them in one after the other.

/// A datagram that arrived.
package struct Arrival: Sendable {
    package let datagram: [UInt8]
    package let endpoint: Endpoint

    package init(_ datagram: [UInt8], from endpoint: Endpoint) {
        (self.datagram, self.endpoint) = (datagram, endpoint)
    }
}

extension GatedEngine where Keeper == Gate {
    /// Datagrams arrived together, in this order. Tells what became of each.
    package mutating func receive(
        _ arrivals: [Arrival],
        by workers: Workers,
        in turn: inout EngineTurn
    ) -> [Disposition] {
        var dispositions: [Disposition] = []
        dispositions.reserveCapacity(arrivals.count)
        var batch: [Gate.Examination] = []
        for arrival in arrivals {
            let examination = gate.examine(
                arrival.datagram,
                from: arrival.endpoint,
                at: turn.now.instant
            )
            guard case .opening(var opening) = examination, opening.needsKey else {
                batch.append(examination)
                continue
            }
            gate.open(&batch, by: workers)
            dispositions += take(&batch, of: arrivals[dispositions.count...], in: &turn)
            gate.prepare(&opening)
            gate.open(&opening)
            batch.append(.opening(opening))
            dispositions += take(&batch, of: arrivals[dispositions.count...], in: &turn)
        }
        gate.open(&batch, by: workers)
        return dispositions + take(&batch, of: arrivals[dispositions.count...], in: &turn)
    }

    /// Takes in what was opened, and empties the batch.
    private mutating func take(
        _ batch: inout [Gate.Examination],
        of arrivals: ArraySlice<Arrival>,
        in turn: inout EngineTurn
    ) -> [Disposition] {
        defer { batch.removeAll(keepingCapacity: true) }
        return zip(batch, arrivals).map { examination, arrival in
            let verdict: Gate.Verdict =
                switch examination {
                case .dropped(let reason): .dropped(reason)
                case .opening(let opening): gate.conclude(opening, at: turn.now.instant)
                }
            return take(verdict, from: arrival.endpoint, in: &turn)
        }
    }
}
