import DHTCore
import DHTCrypto

/// Which roster counts: the rules of acceptance, `docs/protocol.md`, section 12.
package struct RosterKeeper: Sendable {
    /// The standing of a head beside the roster held.
    package enum Verdict: Hashable, Sendable {
        case newer
        /// It is the one held.
        case held
        case older
        /// It has the serial of the one held, and another text: an administrator, or two, signed two.
        case conflict
        /// The signature is not of the administrator that the head names.
        case forged
        /// Its signer may not sign any.
        case stranger
    }

    /// Two rosters of one serial, both signed by administrators.
    package struct Conflict: Hashable, Sendable {
        /// The one that counts here: it came first.
        package let held: RosterHead
        package let other: RosterHead
    }

    package let network: NetworkID
    /// Administrators named by the operator; they count until there is a roster, which names its own.
    package var pinned: [Identity]
    /// Those whom the operator's own lists revoke: no signature of theirs counts, whatever a roster says.
    package var revoked: Set<Identity>
    package private(set) var held: Roster?
    /// The evidence, until a newer roster is held.
    package private(set) var conflict: Conflict?

    package init(
        network: NetworkID,
        pinned: [Identity] = [],
        revoked: Set<Identity> = [],
        held: Roster? = nil
    ) {
        (self.network, self.pinned, self.revoked, self.held) = (network, pinned, revoked, held)
    }

    /// Those who may sign the next roster.
    package var administrators: [Identity] {
        (held?.list.administrators.map(\.identity) ?? pinned).filter { !revoked.contains($0) }
    }
    /// Whether any roster can count here.
    package var isFollowing: Bool { !administrators.isEmpty }
    package var mark: RosterMark { held?.mark ?? .none }

    /// Judges a head, however it came. Costs a verification, unless it is old.
    package func judge(_ head: RosterHead) -> Verdict {
        if let held {
            if head.serial < held.serial { return .older }
            if head.serial == held.serial, head.text == held.head.text { return .held }
        }
        guard administrators.contains(head.administrator) else { return .stranger }
        guard head.isGenuine(in: network) else { return .forged }
        return head.serial == held?.serial ? .conflict : .newer
    }

    /// Takes in a head that was judged a conflict; `false` if it is known.
    package mutating func record(conflicting head: RosterHead) -> Bool {
        guard conflict == nil, let held else { return false }
        conflict = Conflict(held: held.head, other: head)
        return true
    }

    /// Holds the roster, whose head was judged newer, from now on.
    package mutating func adopt(_ roster: Roster) {
        precondition(roster.serial > mark.serial, "roster \(roster.serial) is not above \(mark.serial)")
        held = roster
        conflict = nil
    }

    /// The rule of who may speak here: members of the local lists and of the roster, without whoever either
    /// revokes.
    package func policy(_ local: AdmissionPolicy) -> AdmissionPolicy {
        guard case .members(let list) = local, let held else { return local }
        return .members(list.united(with: held.list))
    }
}
