import DHTCore
import Foundation
import Testing

@testable import DHTCrypto

struct TestIdentitiesTests {
    static let keys = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Keys")

    @Test func `the test identities are those of the vectors`() {
        #expect(TestIdentities.all.map(\.text) == VectorTests.keys.identities.prefix(8).map(\.text))
        #expect(
            (1...8).map { TestIdentities.seed($0) }
                == VectorTests.keys.identities.prefix(8).map { bytes($0.seed) }
        )
    }

    @Test func `the test identities are those that Keys publishes`() throws {
        let published = try String(
            contentsOf: Self.keys.appending(path: "test-identities.txt"),
            encoding: .utf8
        )
        .split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
            $0.split(separator: " ").map(String.init)
        }
        #expect(published.map { $0[0] } == (1...8).map { "\($0)" })
        #expect(published.map { $0[1] } == (1...8).map { hexadecimal(TestIdentities.seed($0)) })
        #expect(published.map { $0[2] } == TestIdentities.all.map(\.text))
    }

    @Test func `a test identity is known as one, and no other is`() {
        #expect(TestIdentities.all.allSatisfy(TestIdentities.isTestIdentity))
        let fresh = SigningKey().identity
        #expect(!TestIdentities.isTestIdentity(fresh))
    }

    @Test func `Keys refuses to have keys committed, and what replacing them leaves`() throws {
        let ignored = try String(contentsOf: Self.keys.appending(path: ".gitignore"), encoding: .utf8)
            .split(separator: "\n")
        for pattern in ["*.key", "*.key.*", "*.network", "*.network.*"] {
            #expect(ignored.contains(Substring(pattern)))
        }
    }
}
