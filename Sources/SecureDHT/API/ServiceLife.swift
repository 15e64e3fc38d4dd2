import ServiceLifecycle

extension DHTNode: Service {
    /// Serves until the service group shuts down gracefully, the task is cancelled or somebody calls
    /// ``stop()``; then hands over, says goodbye and closes.
    ///
    ///     let node = try await DHTNode.start(setup)
    ///     let group = ServiceGroup(services: [node, server], gracefulShutdownSignals: [.sigterm], logger: l)
    ///     try await group.run()
    ///
    /// Services are shut down from the last to the first, so the node comes before those who use it. The
    /// signals are of the module `UnixSignals`.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await gracefulShutdown() }
            group.addTask { await self.loop.ends() }
            await group.next()
            group.cancelAll()
        }
        await stop()
    }
}
