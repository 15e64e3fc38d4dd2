import DHTCore
import DHTCrypto
import DHTEnvelope
import Testing

@testable import DHTEngine

/// Members whose conduct the operator is told of.
struct SuspectTests {
    private let overlay = Overlay(3)

    init() {
        for index in 0..<3 { overlay.start(index, seeds: index > 0 ? [0] : []) }
        overlay.run(for: .seconds(10))
    }

    @Test func `who answers with records that were not asked for is named`() {
        let draft = RecordCodec.Draft(
            kind: .value,
            key: Array("elsewhere".utf8),
            revision: Revision(unixMilliseconds: overlay.now(at: overlay[1]).unixMilliseconds, above: nil),
            lifetime: 3600,
            value: [1]
        )
        let record = overlay[1].engine.gate.sign(draft)
        let endpoint = overlay[1].endpoint
        overlay[1].lie = { request, _ in
            switch request {
            case .findValue: .values([record], total: 1, closer: [])
            case .findNode: .nodes([])
            default: .pong(observed: endpoint, endpoints: [])
            }
        }
        #expect(overlay.look("asked", at: 0)?.found.isEmpty == true)
        #expect(overlay.offences(.struckOut, of: 1, at: 0) > 0)
        #expect(overlay[0].engine.core.conduct.report.map(\.offence) == [.struckOut])
    }
}
