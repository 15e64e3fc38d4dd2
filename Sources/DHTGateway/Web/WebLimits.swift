import NIOCore

/// Bounds on what the clients of the HTTP port hold at once, and for how long.
package struct WebLimits: Sendable {
    /// Of bodies, as at the control socket.
    package var values = ControlLimits()
    /// Open connections. For further ones that which waited longest for its client is closed.
    package var connections = 256
    /// From its beginning until a connection has brought the headers of its first request.
    package var headTime = TimeAmount.seconds(10)
    /// From an answer until the headers of the next request.
    package var idleTime = TimeAmount.seconds(30)
    /// For a body as a whole: the longest value at 19 KiB/s.
    package var bodyTime = TimeAmount.seconds(900)
    /// For reading an answer that was given before the body had come.
    package var farewellTime = TimeAmount.seconds(2)
    /// Of a request's headers in all, in bytes.
    package var headLength = 16_384
    package var headCount = 100
    /// Of path and query, in bytes: a key of 128 bytes, all of them percent-encoded, takes 384.
    package var targetLength = 4096
    /// Open streams of the dashboard.
    package var streams = 16
    /// Of one event of a stream, in bytes.
    package var eventLength = 1 << 20

    package init() {}
}
