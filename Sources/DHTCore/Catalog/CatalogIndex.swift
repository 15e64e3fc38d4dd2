/// The entries of a catalog, in the order of the key space: by location, then author.
///
/// A list of short sorted runs. To find, to enter and to take out is a search by halves in two steps and a
/// short move; to go on from any place is at hand. So long walks over the catalog are made in slices.
struct CatalogIndex: Sendable {
    /// An entry and where it is.
    struct Located: Hashable, Sendable {
        let location: NodeID
        var entry: Catalog.Entry

        var id: RecordID { RecordID(location: location, author: entry.author) }
    }

    private struct Position {
        var run: Int
        var offset: Int
    }

    /// Entries a run holds at most. Half of them are moved when one is entered.
    static let runCapacity = 256

    /// The sorted runs, none of them empty.
    private var runs: [[Located]] = []
    private(set) var count = 0

    // MARK: Events

    /// Enters an entry, and returns the one whose place it takes.
    @discardableResult
    mutating func insert(_ new: Located) -> Catalog.Entry? {
        let position = position(of: new.id)
        guard position.run < runs.count else {
            count += 1
            if let last = runs.indices.last, runs[last].count < Self.runCapacity {
                runs[last].append(new)
            } else {
                runs.append([new])
            }
            return nil
        }
        if let old = located(at: position), old.id == new.id {
            runs[position.run][position.offset] = new
            return old.entry
        }
        count += 1
        runs[position.run].insert(new, at: position.offset)
        if runs[position.run].count > Self.runCapacity {
            let upper = Array(runs[position.run][(Self.runCapacity / 2)...])
            runs[position.run].removeSubrange((Self.runCapacity / 2)...)
            runs.insert(upper, at: position.run + 1)
        }
        return nil
    }

    @discardableResult
    mutating func remove(_ place: RecordID) -> Catalog.Entry? {
        let position = position(of: place)
        guard let old = located(at: position), old.id == place else { return nil }
        count -= 1
        runs[position.run].remove(at: position.offset)
        if runs[position.run].isEmpty {
            runs.remove(at: position.run)
        } else if position.run + 1 < runs.count,
            runs[position.run].count + runs[position.run + 1].count <= Self.runCapacity / 2
        {
            // Else a catalog that once was large would remain as many short runs.
            runs[position.run].append(contentsOf: runs.remove(at: position.run + 1))
        }
        return old.entry
    }

    mutating func change(_ place: RecordID, _ body: (inout Catalog.Entry) -> Void) {
        let position = position(of: place)
        guard located(at: position)?.id == place else { return }
        body(&runs[position.run][position.offset].entry)
    }

    // MARK: Queries

    subscript(place: RecordID) -> Catalog.Entry? {
        guard let found = located(at: position(of: place)), found.id == place else { return nil }
        return found.entry
    }

    func entries(at location: NodeID) -> [Catalog.Entry] {
        var found: [Catalog.Entry] = []
        var position = position { $0.location < location }
        while let next = located(at: position), next.location == location {
            found.append(next.entry)
            advance(&position)
        }
        return found
    }

    /// The entries after `place` (`nil`: from the first on): the rest of one run, ``runCapacity`` entries at
    /// most. Empty at the end only.
    func run(after place: RecordID?) -> ArraySlice<Located> {
        guard let place else { return runs.first?[...] ?? [] }
        let position = position { $0.id <= place }
        guard position.run < runs.count else { return [] }
        return runs[position.run][position.offset...]
    }

    /// The entries farthest from `own`, farthest first, no more than `limit`.
    func farthest(from own: NodeID, limit: Int) -> [Located] {
        var found: [Located] = []
        collect(depth: 0, family: own, farFrom: own, limit: limit, into: &found)
        return found
    }

    // MARK: Private

    /// Collects those that share `depth` bits with `family`: of its two halves the one that differs from
    /// `own` in the next bit is the farther one.
    private func collect(
        depth: Int,
        family member: NodeID,
        farFrom own: NodeID,
        limit: Int,
        into found: inout [Located]
    ) {
        guard found.count < limit else { return }
        let bounds = member.family(depth: depth)
        var members: [Located] = []
        var position = position { $0.location < bounds.lowerBound }
        while members.count <= limit, let next = located(at: position), next.location <= bounds.upperBound {
            members.append(next)
            advance(&position)
        }
        if members.count <= limit || depth == NodeID.bitCount {
            members.sort { $0.location.distance(to: own) > $1.location.distance(to: own) }
            found.append(contentsOf: members.prefix(limit - found.count))
            return
        }
        for isFar in [true, false] {
            let isSet = own.bit(depth) != isFar
            let half = isSet ? bounds.upperBound.keeping(depth + 1) : bounds.lowerBound
            collect(depth: depth + 1, family: half, farFrom: own, limit: limit, into: &found)
        }
    }

    private func located(at position: Position) -> Located? {
        guard position.run < runs.count, position.offset < runs[position.run].count else { return nil }
        return runs[position.run][position.offset]
    }

    private func advance(_ position: inout Position) {
        position.offset += 1
        if position.run < runs.count, position.offset >= runs[position.run].count {
            position = Position(run: position.run + 1, offset: 0)
        }
    }

    private func position(of place: RecordID) -> Position { position { $0.id < place } }

    /// The first entry that is not `before` what is looked for.
    private func position(where isBefore: (Located) -> Bool) -> Position {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(runs[middle][runs[middle].count - 1]) { low = middle + 1 } else { high = middle }
        }
        guard low < runs.count else { return Position(run: low, offset: 0) }
        let run = low
        (low, high) = (0, runs[run].count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(runs[run][middle]) { low = middle + 1 } else { high = middle }
        }
        return Position(run: run, offset: low)
    }
}

extension NodeID {
    /// All ids that share the first `depth` bits with this one.
    func family(depth: Int) -> ClosedRange<NodeID> {
        let (high, middle, low) = Self.wordsPast(depth)
        let first = NodeID(high: self.high & ~high, middle: self.middle & ~middle, low: self.low & ~low)
        return first...NodeID(high: self.high | high, middle: self.middle | middle, low: self.low | low)
    }

    /// This id with all bits but the first `depth` cleared.
    func keeping(_ depth: Int) -> NodeID { family(depth: depth).lowerBound }

    /// The id farthest from this one. Ids that are far from the opposite are near to this one.
    var opposite: NodeID { NodeID(high: ~high, middle: ~middle, low: ~low) }

    /// Some bits of the id, for a word's worth of chance.
    var word: UInt64 { middle ^ UInt64(low) << 32 ^ high }

    /// Bit 0 is the most significant one.
    func bit(_ index: Int) -> Bool { distance(to: NodeID(firstByte: 0))[bit: index] }

    /// Words whose bits from `depth` on are set. Overlong shifts give zero.
    private static func wordsPast(_ depth: Int) -> (UInt64, UInt64, UInt32) {
        (UInt64.max >> depth, UInt64.max >> max(depth - 64, 0), UInt32.max >> max(depth - 128, 0))
    }
}
