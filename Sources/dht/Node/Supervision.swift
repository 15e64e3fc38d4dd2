import SecureDHT

extension Supervisor {
    /// Its line on what the service does is made anew so often.
    private static let interval = Duration.seconds(30)

    /// Tells that commands work, and what the node does.
    func ready(_ node: DHTNode) async { ready(await state(of: node)) }

    /// Says that the node answers, which a hung one does not, often enough for the watchdog. Ends with its
    /// task.
    func watch(_ node: DHTNode) async {
        let pause = min(watchdogInterval.map { $0 / 3 } ?? Self.interval, Self.interval)
        while !Task.isCancelled {
            let state = await state(of: node)
            if watchdogInterval != nil { isAlive() }
            status(state)
            try? await Task.sleep(for: pause)
        }
    }

    private func state(of node: DHTNode) async -> String {
        guard await node.isListening else { return "waits for an address to listen on" }
        let status = await node.status()
        let peers = "\(status.peersUp) of \(status.members ?? status.peersKnown) peers up"
        return "\(peers), \(status.records) records"
    }
}
