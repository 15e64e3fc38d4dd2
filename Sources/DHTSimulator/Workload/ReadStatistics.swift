import DHTCore

/// How reads fared, and how much they cost.
struct ReadStatistics {
    /// Of a stretch of time.
    struct Slice {
        var reads = 0
        var succeeded = 0
        var hops = 0
    }

    private(set) var reads = 0
    private(set) var succeeded = 0
    private(set) var requests = 0
    /// Reads that took so many hops, by the number of hops.
    private(set) var byHops: [Int] = []
    private(set) var slices: [Slice] = []
    let sliceLength: Interval
    private let start: Instant

    init(start: Instant, sliceLength: Interval) { (self.start, self.sliceLength) = (start, sliceLength) }

    mutating func record(at moment: Instant, succeeded isGood: Bool, hops: Int, requests asked: Int) {
        reads += 1
        requests += asked
        if isGood { succeeded += 1 }
        while byHops.count <= hops { byHops.append(0) }
        byHops[hops] += 1
        let index = Int(moment.since(start).nanoseconds / sliceLength.nanoseconds)
        while slices.count <= index { slices.append(Slice()) }
        slices[index].reads += 1
        slices[index].succeeded += isGood ? 1 : 0
        slices[index].hops += hops
    }

    /// The least number of hops that this share of all reads did not exceed.
    func hops(atQuantile share: Double) -> Int {
        var seen = 0
        for (hops, count) in byHops.enumerated() {
            seen += count
            if Double(seen) >= share * Double(reads) { return hops }
        }
        return 0
    }

    var requestsMean: Double { reads == 0 ? 0 : Double(requests) / Double(reads) }
}
