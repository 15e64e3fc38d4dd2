/// Long values on their way, for whoever waits for them.
package struct TransfersReply: Codable, Hashable, Sendable {
    package struct Transfer: Codable, Hashable, Sendable {
        package var key: Octets
        /// `sending` or `receiving`.
        package var direction: String
        /// Bytes that have arrived, at all replicas together, and that are to.
        package var done: UInt64
        package var total: UInt64

        package init(key: Octets, direction: String, done: UInt64, total: UInt64) {
            (self.key, self.direction, self.done, self.total) = (key, direction, done, total)
        }

        private enum CodingKeys: String, CodingKey {
            case key, direction, done, total
            case keyBase64 = "key_base64"
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            key = try Octets(from: container, .key, .keyBase64)
            direction = try container.decode(String.self, forKey: .direction)
            done = try container.decode(UInt64.self, forKey: .done)
            total = try container.decode(UInt64.self, forKey: .total)
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try key.encode(to: &container, .key, .keyBase64)
            try container.encode(direction, forKey: .direction)
            try container.encode(done, forKey: .done)
            try container.encode(total, forKey: .total)
        }
    }

    package private(set) var schema = 1
    package var transfers: [Transfer]
    /// A copy of the database that is being made; `nil`: none.
    package var backup: Copy?

    /// Pages that are copied, and that are to be.
    package struct Copy: Codable, Hashable, Sendable {
        package var done: Int
        package var total: Int

        package init(done: Int, total: Int) { (self.done, self.total) = (done, total) }
    }

    package init(transfers: [Transfer], backup: Copy? = nil) {
        (self.transfers, self.backup) = (transfers, backup)
    }
}
