import DHTGateway
import SecureDHT

/// Values of 100 bytes that a benchmark put, and gets again, each by a node that does not hold it where there
/// is one.
struct BenchValues {
    private static let text = String(repeating: "x", count: 100)

    /// The cost of putting them.
    let put: BenchOverlay.Sample
    private let overlay: BenchOverlay
    private let name: String
    /// By value: who is asked for it.
    private let readers: [DHTNode]

    /// Puts `count` values, each node as many as any other, `atOnce` of them at any time.
    init(_ overlay: BenchOverlay, named name: String, count: Int, atOnce: Int) async throws {
        let nodes = overlay.nodes
        let (sample, holders) = try await overlay.measure(count, atOnce: atOnce) { number in
            let receipt = try await nodes[number % nodes.count].put(Self.text, for: "\(name) \(number)")
            return Set(receipt.replicas.map(\.identity))
        }
        put = sample
        (self.overlay, self.name) = (overlay, name)
        readers = holders.enumerated().map { number, holders in
            let others = (1..<nodes.count).map { nodes[(number + $0) % nodes.count] }
            return others.first { !holders.contains($0.identity) } ?? others[0]
        }
    }

    /// Gets `count` times, `atOnce` of them at any time.
    func get(_ count: Int, atOnce: Int) async throws -> BenchOverlay.Sample {
        try await overlay.measure(count, atOnce: atOnce) { [readers, name] number in
            let key = "\(name) \(number % readers.count)"
            guard try await readers[number % readers.count].get(key)?.text == Self.text else {
                throw Failure(.internal, "\"\(key)\" was put and is not found")
            }
        }.sample
    }
}
