import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage

/// One machine of an ``Overlay``: an engine with its store, its address and its clock's error.
final class Host {
    let index: Int
    let identity: Identity
    let seed: [UInt8]
    var engine: Engine
    var store = MemoryRecordStore()
    var endpoint: Endpoint
    /// Dead hosts hear and do nothing.
    var isAlive = false
    /// What it answers to a request in the place of what an honest node would; `nil`: nothing at all.
    var lie: ((Request, Identity) -> Response?)?
    /// What it was answered since it lies.
    var heard: [(Identity, Response)] = []
    /// The store takes work and never completes it.
    var isStoreStuck = false
    /// What the wall clock is wrong by, in milliseconds.
    var clockError: Int64 = 0
    /// What the wall clock says, in milliseconds, whatever it ought to.
    var wall: UInt64?
    /// What its disk was told of revisions that it signed.
    var revisions: [NodeID: Revision] = [:]
    /// Where this host believes its seeds are.
    var seedEndpoints: [Endpoint] = []
    var outcomes: [OperationID: Outcome] = [:]
    /// Of values that are read piece by piece.
    var pieces: [OperationID: [[UInt8]]] = [:]
    /// The engine's timer; others that are on their way are out of date.
    var timer: Instant?
    /// Advances in a row at one moment.
    var spins = 0
    /// Grows with every start, so that what was meant for a dead process does not reach the next.
    var incarnation = 0

    init(index: Int, seed: [UInt8], endpoint: Endpoint, engine: consuming Engine) {
        self.index = index
        self.seed = seed
        self.endpoint = endpoint
        identity = engine.identity
        self.engine = engine
    }

    var id: NodeID { identity.nodeID }
    var contact: Contact { Contact(identity: identity, id: id, endpoint: endpoint) }

    func signingKey() -> SigningKey { Host.signingKey(seed) }

    static func signingKey(_ seed: [UInt8]) -> SigningKey {
        var bytes = seed
        return SigningKey(seed: SecretBytes(wiping: &bytes))
    }

    static func networkKey(_ seed: [UInt8]) -> NetworkKey {
        var bytes = seed
        return NetworkKey(bytes: SecretBytes(wiping: &bytes))
    }
}

extension AdmissionPolicy {
    /// These may speak and, but for the readers, write.
    static func list(_ members: [Identity], readers: Set<Identity> = []) -> AdmissionPolicy {
        let lines = members.enumerated().map { index, member in
            "\(member.text) node-\(index)\(readers.contains(member) ? " write=no" : "")"
        }
        do {
            return .members(try Allowlist(parsing: lines.joined(separator: "\n"), file: "test.allow"))
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
