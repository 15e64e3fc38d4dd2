import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

private struct InvitationVectors: Decodable {
    struct Made: Decodable, Sendable, CustomTestStringConvertible {
        struct Place: Decodable, Sendable {
            let address: String
            let port: UInt16
        }

        let inviterSeed: Hex
        let secret: Hex
        let endpoints: [Place]
        let text: String
        let invitationKey: Hex
        let networkId: Hex

        var testDescription: String { text }
    }

    struct Bad: Decodable, Sendable, CustomTestStringConvertible {
        let text: String
        let why: String

        var testDescription: String { why }
    }

    let invitations: [Made]
    let badTexts: [Bad]

    static let all: InvitationVectors = VectorFile.read("invitations")
}

struct InvitationVectorTests {
    @Test(arguments: InvitationVectors.all.invitations)
    fileprivate func `an invitation of another implementation is read and made alike`(
        vector: InvitationVectors.Made
    ) throws {
        let inviter = SigningKey(seed: vector.inviterSeed.secret).identity
        let endpoints = vector.endpoints.compactMap { Endpoint(text: $0.address, port: $0.port) }
        let made = InvitationText(inviter: inviter, secret: vector.secret.bytes, endpoints: endpoints)
        #expect(made.text == vector.text)
        #expect(try InvitationText(text: vector.text) == made)
        #expect(made.endpoints.count == vector.endpoints.count)
        let key = NetworkKey(ofInvitation: made.secret)
        #expect(key.id == NetworkKey(bytes: vector.invitationKey.secret).id)
        #expect(key.id.bytes == vector.networkId.bytes)
    }

    @Test(arguments: InvitationVectors.all.badTexts)
    fileprivate func `a text that is no invitation is refused`(vector: InvitationVectors.Bad) {
        #expect(throws: KeyTextError.self) { try InvitationText(text: vector.text) }
    }
}
