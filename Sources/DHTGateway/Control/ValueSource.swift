/// A value's bytes, which are brought as they are taken. One task reads it.
package struct ValueSource: Sendable {
    package let length: Int
    /// The next bytes; `nil` after the last. An empty value has none, or none but an empty piece.
    package let next: @Sendable () async throws(Failure) -> [UInt8]?
    /// The rest is not wanted.
    package let cancel: @Sendable () -> Void

    package init(
        length: Int,
        cancel: @escaping @Sendable () -> Void,
        next: @escaping @Sendable () async throws(Failure) -> [UInt8]?
    ) {
        (self.length, self.cancel, self.next) = (length, cancel, next)
    }

    /// All of it.
    package func whole() async throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        while let piece = try await next() { bytes += piece }
        return bytes
    }
}

/// Values that a read found: as ``GetReply``, whose values are empty until they are read.
package struct OpenedReply: Sendable {
    package var reply: GetReply
    /// One for each value.
    package var sources: [ValueSource]

    package init(_ reply: GetReply, _ sources: [ValueSource]) {
        (self.reply, self.sources) = (reply, sources)
    }

    /// Of values that are here already.
    package init(_ whole: GetReply) {
        reply = whole
        sources = whole.values.map { value in
            let rest = RestOfValue(value.value.bytes)
            return ValueSource(length: value.value.bytes.count, cancel: {}) { () throws(Failure) in
                rest.take()
            }
        }
        for index in reply.values.indices { reply.values[index].value = Octets([]) }
    }

    /// With all of the values.
    package func whole() async throws(Failure) -> GetReply {
        var whole = reply
        for (index, source) in sources.enumerated() {
            whole.values[index].value = Octets(try await source.whole())
        }
        return whole
    }
}
