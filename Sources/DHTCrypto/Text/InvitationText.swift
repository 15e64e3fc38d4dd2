import DHTCore

/// A line that lets one machine in, once: whom to ask, where, and the secret by which that one knows it.
/// `docs/protocol.md`, section 13.
package struct InvitationText: Hashable, Sendable {
    /// Bytes of the secret.
    package static let secretLength = 16
    /// Addresses of the inviter, and the bytes that they take: two of IPv6 and one of IPv4. So a line has 164
    /// characters at most.
    private static let (endpointLimit, endpointBytes) = (3, 45)

    package let inviter: Identity
    package let secret: [UInt8]
    /// The inviter's addresses: one at least.
    package let endpoints: [Endpoint]

    /// Has as many of the addresses as fit, the first ones.
    package init(inviter: Identity, secret: [UInt8], endpoints: [Endpoint]) {
        precondition(secret.count == Self.secretLength, "the secret has \(secret.count) bytes")
        precondition(!endpoints.isEmpty, "an invitation says where to ask")
        (self.inviter, self.secret) = (inviter, secret)
        var fitting: [Endpoint] = []
        for endpoint in endpoints where !fitting.contains(endpoint) && Self.fits(fitting + [endpoint]) {
            fitting.append(endpoint)
        }
        self.endpoints = fitting
    }

    private static func fits(_ endpoints: [Endpoint]) -> Bool {
        let length = endpoints.reduce(0) { $0 + $1.addressBytes.count + 3 }
        return endpoints.count <= endpointLimit && length <= endpointBytes
    }

    /// `dht-join1…`, in lower case.
    package var text: String {
        var bytes = inviter.bytes + secret
        for endpoint in endpoints {
            bytes.append(endpoint.family.rawValue)
            bytes += endpoint.addressBytes
            bytes.appendBigEndian(endpoint.port)
        }
        let words = Bech32m.words(of: bytes)
        return String(decoding: Bech32m.encode(words, part: KeyKind.invitation.part), as: UTF8.self)
    }

    /// Reads a line, all lower or all upper case.
    package init(text: String) throws(KeyTextError) {
        let characters = Array(text.utf8)
        guard let announced = KeyKind(announcedBy: characters) else {
            throw KeyTextError(.invitation, .unrecognized)
        }
        guard announced == .invitation else { throw KeyTextError(.invitation, .wrongKind(announced)) }
        let words: [UInt8]
        do throws(Bech32m.Fault) {
            let decoded = try Bech32m.decode(characters)
            guard decoded.part == KeyKind.invitation.part else { throw .badPart }
            words = decoded.words
        } catch .mixedCase {
            throw KeyTextError(.invitation, .mixedCase)
        } catch {
            throw KeyTextError(.invitation, .badChecksum(isOneCharacter: false))
        }
        guard let bytes = Bech32m.bytes(of: words), let read = Self(bytes) else {
            throw KeyTextError(.invitation, .wrongByteCount)
        }
        guard read.inviter.isValidKey else { throw KeyTextError(.invitation, .invalidKey) }
        self = read
    }

    private init?(_ bytes: [UInt8]) {
        let start = Identity.byteCount + Self.secretLength
        guard bytes.count > start, let inviter = Identity(bytes[..<Identity.byteCount]) else { return nil }
        var endpoints: [Endpoint] = []
        var rest = bytes[start...]
        while let first = rest.first {
            guard let family = Endpoint.Family(rawValue: first) else { return nil }
            let count = family == .ipv4 ? 4 : 16
            guard rest.count >= count + 3 else { return nil }
            let address = rest.dropFirst().prefix(count)
            let port: UInt16 = rest.dropFirst(count + 1).bigEndian()
            guard let endpoint = Endpoint(addressBytes: address, port: port), endpoint.family == family else {
                return nil
            }
            endpoints.append(endpoint)
            rest = rest.dropFirst(count + 3)
        }
        guard Self.fits(endpoints), Set(endpoints).count == endpoints.count else { return nil }
        self.init(
            inviter: inviter,
            secret: Array(bytes[Identity.byteCount..<start]),
            endpoints: endpoints
        )
    }
}

extension NetworkKey {
    private static let invitationContext = Array("dht1 invitation".utf8)

    /// The key of the network that an invitation makes, of the inviter and whom it invited.
    package init(ofInvitation secret: [UInt8]) {
        var bytes = blake2b(Self.invitationContext, count: Self.byteCount, key: secret)
        self.init(bytes: SecretBytes(wiping: &bytes))
    }
}
