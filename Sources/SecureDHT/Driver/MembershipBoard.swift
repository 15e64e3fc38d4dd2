import DHTCore
import DHTCrypto
import DHTEnvelope
import Synchronization

/// The rule by which a node admits peers, for whoever asks on any thread: the operator's own lists, the
/// roster, and the list that they make together.
final class MembershipBoard: Sendable {
    private struct State {
        var local: Admission
        var roster: Roster?
        /// The rule that both make.
        var admission: Admission
        var changes: [Int: AsyncStream<MembershipChange>.Continuation] = [:]
        var nextListener = 0
        /// One roster is signed after the other: no two of ours have one serial.
        var isSigning = false
        var signers: [CheckedContinuation<Void, Never>] = []
    }

    /// Where the roster is kept.
    let shelf: RosterShelf
    let key: NodeKey
    let network: NetworkSecret
    /// Signs rosters; `nil`: others do.
    let administrator: NodeKey?
    /// Peers of the configuration, beside those that the lists have addresses of.
    private let configuredPeers: [PeerAddress]
    private let state: Mutex<State>

    init(_ configuration: NodeConfiguration, roster: Roster?, shelf: RosterShelf) {
        (key, network) = (configuration.key, configuration.network)
        (administrator, configuredPeers) = (configuration.administrator, configuration.peers)
        self.shelf = shelf
        let admission = configuration.admission
        let effective = admission.united(with: roster)
        state = Mutex(State(local: admission, roster: roster, admission: effective))
    }

    /// The rule that counts.
    var admission: Admission { state.withLock { $0.admission } }
    /// The operator's own lists.
    var local: Admission { state.withLock { $0.local } }
    var roster: Roster? { state.withLock { $0.roster } }

    /// The members; `nil` in open mode.
    var list: Allowlist? { admission.list }

    /// The operator has other lists.
    func replace(_ local: Admission) { change { $0.local = local } }

    /// Another roster counts.
    func adopt(_ roster: Roster) { change { $0.roster = roster } }

    private func change(_ body: (inout State) -> Void) {
        let (change, listeners) = state.withLock { state in
            let before = state.admission
            body(&state)
            state.admission = state.local.united(with: state.roster)
            let change = MembershipChange(
                from: before.list,
                to: state.admission.list,
                serial: state.roster?.serial
            )
            return (change, Array(state.changes.values))
        }
        for listener in listeners { listener.yield(change) }
    }

    /// Returns when it is the caller's turn to sign a roster; then ``endSigning()`` is called.
    func beginSigning() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isSigning { state.signers.append(continuation) }
                defer { state.isSigning = true }
                return !state.isSigning
            }
            if isFree { continuation.resume() }
        }
    }

    func endSigning() {
        let next = state.withLock { state in
            let next = state.signers.isEmpty ? nil : state.signers.removeFirst()
            state.isSigning = next != nil
            return next
        }
        next?.resume()
    }

    /// Tells of every change from now on.
    func changes() -> AsyncStream<MembershipChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: MembershipChange.self)
        let number = state.withLock { state in
            state.nextListener += 1
            state.changes[state.nextListener] = continuation
            return state.nextListener
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.changes.removeValue(forKey: number) }
        }
        return stream
    }

    /// Nobody is told of anything any more.
    func end() {
        let listeners = state.withLock { state in
            defer { state.changes = [:] }
            return Array(state.changes.values)
        }
        for listener in listeners { listener.finish() }
    }

    /// The seeds: admitted peers of the configuration, and addresses in the lists; never this node.
    var seeds: [PeerAddress] {
        var seeds = configuredPeers
        if let list {
            seeds = seeds.filter { list.member($0.identity) != nil }
            for member in list.members {
                for address in member.addresses.compactMap({ HostPort($0) }) {
                    seeds.append(PeerAddress(identity: member.identity, address: address))
                }
            }
        }
        return seeds.filter { $0.identity != key.identity }
    }
}

extension Admission {
    /// The members; `nil` in open mode.
    package var list: Allowlist? {
        if case .members(let list) = self { list } else { nil }
    }

    fileprivate func united(with roster: Roster?) -> Admission {
        guard case .members(let list) = self, let roster else { return self }
        return .members(list.united(with: roster.list))
    }
}
