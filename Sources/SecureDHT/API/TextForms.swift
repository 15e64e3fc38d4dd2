import DHTCore
import DHTCrypto

// Values that people write and programs store: their texts, and the same texts in JSON.

extension Identity: LosslessStringConvertible {
    /// The identity of a text `dht1…`; `nil` if it is none. `init(text:)` says what is wrong with it.
    public init?(_ description: String) {
        guard let identity = try? Identity(text: description) else { return nil }
        self = identity
    }
}

extension Endpoint: LosslessStringConvertible {
    /// The endpoint of a text like `10.0.0.2:4100` or `[2001:db8::1]:4100`; `nil` if it is none.
    public init?(_ description: String) {
        guard let endpoint = HostPort(description)?.numeric else { return nil }
        self = endpoint
    }

    /// The endpoint of a host that is an address; `nil` if it is a name, which has to be resolved.
    public init?(_ address: HostPort) {
        guard let endpoint = address.numeric else { return nil }
        self = endpoint
    }
}

extension HostPort: LosslessStringConvertible {
    /// The address and the port of an endpoint.
    public init(_ endpoint: Endpoint) { self.init(host: endpoint.host, port: endpoint.port) }
}

extension PeerAddress: LosslessStringConvertible {
    /// The peer of a text `dht://IDENTITY@HOST:PORT`; `nil` if it is none. ``init(parsing:)`` says what is
    /// wrong with it.
    public init?(_ description: String) {
        guard let peer = try? PeerAddress(parsing: description) else { return nil }
        self = peer
    }
}

extension Revision: LosslessStringConvertible {
    /// The revision of a decimal number; `nil` if the text is none below 2⁶⁴.
    public init?(_ description: String) {
        guard let rawValue = UInt64(description), "\(rawValue)" == description else { return nil }
        self.init(rawValue: rawValue)
    }

    /// The decimal number.
    public var description: String { "\(rawValue)" }
}

extension NodeID: LosslessStringConvertible {
    /// The id of 40 hexadecimal digits; `nil` if the text is something else.
    public init?(_ description: String) {
        guard let bytes = DHTCore.bytes(hexadecimal: description), bytes.count == Self.byteCount else {
            return nil
        }
        self.init(bytes)
    }
}

/// Written in JSON and the like as its text.
public protocol CodableAsText: LosslessStringConvertible, Codable {}

extension CodableAsText {
    /// Decodes the text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "this text is no \(Self.self)"
            )
        }
        self = value
    }

    /// Encodes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Identity: CodableAsText {}
extension Endpoint: CodableAsText {}
extension HostPort: CodableAsText {}
extension PeerAddress: CodableAsText {}
/// As a text and no number: readers of JSON round numbers above 2⁵³.
extension Revision: CodableAsText {}
extension NodeID: CodableAsText {}
