import DHTCore
import DHTCrypto

/// The answer to JOIN: all that a machine needs to be a node. `docs/protocol.md`, section 13.
package struct Welcome: Hashable, Sendable {
    /// Administrators that fit beside the rest.
    package static let administratorLimit = 6
    private static let keyLength = 32

    /// Of the overlay: to be wiped when it is done with.
    package var networkKey: [UInt8]
    /// The joiner's, in the roster.
    package let name: String
    /// Those who may sign the roster that the joiner is to follow.
    package let administrators: [Identity]

    package init(networkKey: [UInt8], name: String, administrators: [Identity]) {
        (self.networkKey, self.name) = (networkKey, name)
        self.administrators = Array(administrators.prefix(Self.administratorLimit))
    }

    package var encoded: [UInt8] {
        var bytes = networkKey + [UInt8(name.utf8.count)] + Array(name.utf8)
        bytes.append(UInt8(administrators.count))
        for administrator in administrators { administrator.append(to: &bytes) }
        return bytes
    }

    /// Reads the bytes of an answer; `nil` if they are no welcome.
    package init?(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes[...])
        guard let read = try? Self(&reader), reader.remaining == 0 else { return nil }
        self = read
    }

    init(_ reader: inout ByteReader) throws(Malformed) {
        let key = Array(try reader.take(Self.keyLength))
        let name = try reader.take(Int(try reader.integer(UInt8.self)))
        let count = try reader.integer(UInt8.self)
        guard AllowlistOption.isName(name), (1...Self.administratorLimit).contains(Int(count)) else {
            throw Malformed()
        }
        var administrators: [Identity] = []
        for _ in 0..<count { administrators.append(try reader.identity()) }
        self.init(
            networkKey: key,
            name: String(decoding: name, as: UTF8.self),
            administrators: administrators
        )
    }
}
