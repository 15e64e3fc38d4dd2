import SecureDHT

extension ServiceManager {
    /// Its line on what the service does is made anew so often.
    private static let interval = Duration.seconds(30)

    /// Tells that commands work, and what the node does.
    func ready(_ node: DHTNode) async { ready(await state(of: node)) }

    /// As long as the node answers, a hung one does not: says so, often enough for the watchdog. Ends with its
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
        return "\(status.peersUp) of \(status.members ?? status.peersKnown) peers up, \(status.records) records"
    }
}
