/// Pages of the HTTP port besides values; `nil` is not there.
package struct WebPages: Sendable {
    /// Metrics as Prometheus reads them.
    package var metrics: (@Sendable () async -> String)?
    /// The dashboard's state, JSON on one line; without it there is no dashboard.
    package var state: (@Sendable () async throws -> [UInt8])?

    package init() {}
}
