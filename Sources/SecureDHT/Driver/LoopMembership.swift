import DHTCore
import DHTEngine
import DHTEnvelope
import FoundationEssentials
import Logging

// The rule by which the loop's engine admits peers, and the rosters that say so.

extension NodeLoop {
    /// The operator has other lists.
    func replaceAdmission(_ admission: Admission) {
        board.replace(admission)
        var turn = EngineTurn(at: SystemClock.now)
        engine.replaceAdmission(admission.policy(for: engine.identity), in: &turn)
        perform(&turn)
        followMembership()
    }

    /// A roster of this node's own user: on the disk before anybody is told of it.
    func publish(_ roster: Roster) async throws(DHTError) -> RosterKeeper.Verdict {
        if engine.judge(roster) == .newer {
            do { try await board.shelf.store(roster, before: board.roster) } catch {
                throw DHTError(
                    error.code,
                    "the roster cannot be written: \(error.reason); nothing was changed"
                )
            }
            let verdict = engine.judge(roster)
            guard verdict == .newer else {
                // Another one came to count meanwhile.
                board.shelf.withdraw(to: board.roster)
                return verdict
            }
        }
        var turn = EngineTurn(at: SystemClock.now)
        let verdict = engine.publish(roster, in: &turn)
        perform(&turn)
        return verdict
    }

    /// Makes the next roster, one at a time, and has it count.
    func publish(_ make: @Sendable (_ isContested: Bool) throws -> Roster) async throws -> Roster {
        await board.beginSigning()
        defer { board.endSigning() }
        let roster = try make(engine.rosterState.conflict != nil)
        switch try await publish(roster) {
        case .newer, .held: return roster
        case .older, .conflict, .forged, .stranger:
            throw DHTError(
                .conflict,
                "another roster came to count meanwhile: do it again; nothing was changed"
            )
        }
    }

    /// Another roster counts, in this turn; what depends on it follows.
    func adopted(_ roster: Roster) {
        board.shelf.keep(roster)
        board.adopt(roster)
        logger.notice(
            "another roster counts",
            metadata: [
                "serial": "\(roster.serial)", "members": "\(roster.list.members.count)",
                "revoked": "\(roster.list.revoked.count)",
            ]
        )
        if !roster.list.holds(engine.identity) {
            logger.warning("this node is not on the roster: peers that follow it turn it away")
        }
        // Not in the middle of the turn: the seeds bring one of their own.
        eventLoop.execute { self.assumeIsolated { $0.followMembership() } }
    }

    func conflicting(_ conflict: RosterKeeper.Conflict) {
        board.shelf.keep(conflict)
        logger.error(
            "two rosters of one serial are signed; the one that came first counts here: publish a newer one",
            metadata: [
                "serial": "\(conflict.held.serial)",
                "administrators": "\(conflict.held.administrator.text) \(conflict.other.administrator.text)",
            ]
        )
    }

    private func followMembership() {
        let policy = engine.gate.admission
        keeper.forget { !policy.admits($0) }
        setSeeds(board.seeds)
    }

    /// The roster that each of these peers said it holds, and since when.
    func rosterWords(_ peers: [Identity]) -> [Identity: (mark: RosterMark, since: Date)] {
        let now = SystemClock.now
        var words: [Identity: (mark: RosterMark, since: Date)] = [:]
        for peer in peers {
            guard let word = engine.rosterWord(of: peer) else { continue }
            words[peer] = (word.mark, Date(unixMilliseconds: now.unixMilliseconds(of: word.since)))
        }
        return words
    }

    var rosterStatus: RosterStatus {
        let state = engine.rosterState
        let now = SystemClock.now
        return RosterStatus(
            serial: state.held?.serial ?? 0,
            signed: state.held.map { Date(timeIntervalSince1970: TimeInterval($0.signedAt)) },
            administrators: state.administrators,
            missing: state.missing.map { missing in
                .init(
                    serial: missing.mark.serial,
                    since: Date(unixMilliseconds: now.unixMilliseconds(of: missing.since)),
                    reason: .init(missing.reason)
                )
            },
            conflict: state.conflict.map {
                Array(Set([$0.held.administrator, $0.other.administrator])).sorted()
            } ?? [],
            unwritten: board.shelf.failure?.reason
        )
    }
}
