"""What mutate.py breaks: the table that docs/testing.md tells of."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    name: str
    # The checker that must notice.
    checker: str
    # Of `dht simulate`: worlds in which it is to be noticed.
    options: str
    # File below Sources/, text that is there once, text in its place.
    edits: list[tuple[str, str, str]]


# Small worlds with many faults, without cryptography and with it.
SWARM = "--scenario swarm --hours 0.25 --sealing stand-in --seed 50 --seeds 300"
SEALED = "--scenario swarm --hours 0.25 --sealing real --seed 53 --seeds 16"
# Many nodes, more than buckets hold.
CALM = "--scenario calm --nodes 1000 --hours 0.05 --values 20"
# All nodes lose power at one moment, while they write to slow disks, and start again with what those have.
BLACKOUT = "--scenario blackout --nodes 12 --hours 0.1 --sealing stand-in --values 20 --reads 300 --seed 1 --seeds 4"
# Members that say they want long values and fetch none, so many that a put cannot do without them.
WANTING = ("--scenario wanting --nodes 12 --adversaries 0.4 --hours 0.1 --sealing stand-in --values 20 --reads 60"
           " --seed 1 --seeds 2")
# Members that bring what they want chunk by chunk, for as long as they are believed.
DAWDLING = ("--scenario dawdling --nodes 12 --hours 0.1 --sealing stand-in --values 20 --reads 60"
            " --seed 1 --seeds 4")
# One member that names those that never run.
HAUNTING = ("--scenario haunting --nodes 12 --adversaries 0.1 --hours 0.1 --sealing stand-in --values 20 --reads 200"
            " --seed 1 --seeds 4")
# Members that promise more content than anybody has room for.
PROMISING = ("--scenario promising --nodes 12 --adversaries 0.6 --hours 0.3 --sealing stand-in --values 20 --reads 60"
             " --seed 1 --seeds 2")
SPOILING = ("--scenario spoiling --nodes 12 --adversaries 0.3 --hours 0.15 --sealing stand-in --values 4 --reads 600"
            " --seed 1 --seeds 4")
AMNESIAC = "--scenario amnesiac --nodes 12 --hours 0.25 --sealing stand-in --values 20 --reads 60 --seed 1 --seeds 2"

MUTATIONS = [
    # membership
    Mutation("rosters-unsigned", "membership", SWARM, [
        ("DHTEnvelope/Roster/RosterKeeper.swift", "guard head.isGenuine(in: network) else { return .forged }",
         "guard head.signature.count == 64 else { return .forged }"),
    ]),
    Mutation("rosters-kept-back", "membership", SWARM, [
        ("DHTEngine/Roster/RosterDesk.swift", "        if timers.take(.compare, at: turn.now) { compare(&turn) }\n", ""),
        ("DHTEngine/Roster/RosterDesk.swift", "            if !telling.isToTell(contact.identity) { remind(contact, &turn) }\n",
         "            counters.told += 0\n"),
    ]),
    Mutation("boasters-believed", "membership", SWARM, [
        ("DHTEngine/Roster/RosterClaims.swift", "static let askedAtOnce = 3", "static let askedAtOnce = 1"),
        ("DHTEngine/Roster/RosterClaims.swift",
         "        if distrusted.count < RosterDesk.markLimit { distrusted[peer] = now + Self.distrust }\n", ""),
    ]),
    # authenticity
    Mutation("answers-unsigned", "authenticity", SWARM, [
        ("DHTEnvelope/Gate/Gatekeeper.swift", "                && accepts(record)\n",
         "                && admission.mayWrite(record.author)\n"),
    ]),
    Mutation("signatures-any", "authenticity", SEALED, [
        ("DHTEnvelope/Wire/RecordCodec.swift",
         "record.author.verifies(record.signature, of: signedInput(record.signedFields, network: network))",
         "record.signature.count == 64"),
    ]),
    Mutation("stores-unsigned", "authenticity", SEALED, [
        ("DHTEnvelope/Gate/GateReceive.swift", "            !accepts(record)\n        {",
         "            !admission.admits(record.author)\n        {"),
    ]),
    Mutation("reads-of-the-expelled", "authenticity", SWARM, [
        ("DHTCore/Catalog/Catalog.swift", "filter { $0.isLive(at: now) && !muted.contains($0.author) }",
         "filter { $0.isLive(at: now) }"),
        ("DHTEngine/Engine.swift", "records.filter { gate.accepts($0) }", "records"),
    ]),
    # expiry
    Mutation("expired-is-read", "expiry", SWARM, [
        ("DHTCore/Operations/GetOperation.swift", "for record in records where record.expiry > now {",
         "for record in records {"),
    ]),
    # freshness
    Mutation("reader-ignores-tombstones", "freshness", SWARM, [
        ("DHTCore/Operations/GetOperation.swift", "for record in records where record.expiry > now {",
         "for record in records where record.expiry > now && !record.isTombstone {"),
    ]),
    Mutation("reader-prefers-older", "freshness", SWARM, [
        ("DHTCore/Operations/GetOperation.swift", "} else if record.supersedes(best[index].record) {",
         "} else if best[index].record.supersedes(record) {"),
    ]),
    Mutation("older-displaces-newer", "freshness", SWARM, [
        ("DHTCore/Catalog/Catalog.swift",
         "if let old, (record.revision, record.digest) <= (old.revision, old.digest),",
         "if let old, record.digest == old.digest,"),
    ]),
    Mutation("acknowledged-before-stored", "durability", BLACKOUT, [
        ("DHTCore/Node/StoreRequests.swift", "guard waiters[record.digest] != nil else { return false }",
         "guard record.expiry == 0 else { return false }"),
    ]),
    Mutation("failed-disk-acknowledged", "freshness", SWARM, [
        ("DHTCore/Node/Requests.swift", "applied(ticket, .failed(.unavailable), in: &turn)",
         "applied(ticket, .done, in: &turn)"),
    ]),
    # order
    Mutation("signed-anew-over-the-later-one", "order", SWARM, [
        ("DHTEngine/Operations/Signing.swift", "guard attempts < Self.limit, isLast else { return .end }",
         "guard attempts < Self.limit else { return .end }"),
        ("DHTEngine/Operations/OperationDesk.swift", "if !isAbove, order.isLast(id) {", "if !isAbove {"),
    ]),
    # quorum
    Mutation("one-answer-is-enough", "quorum", SWARM, [
        ("DHTCore/Lookups/Lookup.swift",
         "if case .values(let replicas) = self { bearing >= replicas } else { false }",
         "if case .values = self { bearing >= 1 } else { false }"),
    ]),
    # durability
    Mutation("lookup-ends-early", "liveness", SWARM, [
        ("DHTCore/Lookups/Lookup.swift",
         "goal.isReached(bearing: replicasBearing) || nearest.allSatisfy(\\.state.isAnswered)",
         "goal.isReached(bearing: replicasBearing) || nearest.contains(where: \\.state.isAnswered)"),
    ]),
    Mutation("swept-too-soon", "durability", SWARM, [
        ("DHTCore/Replication/Replication.swift",
         "                if located.entry.expiry > turn.now.unixMilliseconds,\n",
         "                if located.entry.expiry > turn.now.unixMilliseconds + 3_600_000,\n"),
    ]),
    Mutation("restart-forgets", "durability", BLACKOUT, [
        ("DHTEngine/Engine.swift", "        core.restore(record)\n", ""),
        ("DHTEngine/Engine.swift",
         "        core.restore(entry, at: location, mayWrite: gate.admission.mayWrite(entry.author))\n",
         "        _ = (entry, location)\n"),
    ]),
    # table
    Mutation("hints-are-believed", "table", SWARM, [
        ("DHTCore/Membership/Verification.swift",
         "            membership.verifications.hint(contact.alone, at: turn.now.instant)\n",
         "            _ = table.answered(contact, at: turn.now.instant)\n"),
    ]),
    Mutation("whoever-asks-enters", "table", SWARM, [
        ("DHTCore/Node/Requests.swift", "            onArriving(sender, at: turn.now.instant)\n",
         "            _ = table.answered(sender, at: turn.now.instant)\n"),
    ]),
    Mutation("replays-move-contacts", "table", SWARM, [
        ("DHTCore/Node/Requests.swift", "            onArriving(sender, at: turn.now.instant)\n",
         "            if table.entry(for: sender.identity, id: sender.id) != nil {\n"
         "                _ = table.answered(sender, at: turn.now.instant)\n            }\n"),
    ]),
    Mutation("the-expelled-stay", "table", SWARM, [
        ("DHTEngine/Roster/Rosters.swift", "        core.forget { !policy.admits($0) }\n", ""),
    ]),
    # bounds
    Mutation("buckets-without-end", "bounds", CALM, [
        ("DHTCore/Routing/KBucket.swift",
         "guard entries.count == capacity else {", "guard entries.count == .max else {"),
    ]),
    Mutation("relocationLookups-without-end", "bounds", SWARM, [
        ("DHTCore/Membership/RelocationLookups.swift", "guard underWay < Self.limit else { return false }", ""),
        ("DHTCore/Membership/RelocationLookups.swift", "guard next <= now else { return false }", ""),
    ]),
    Mutation("verified-without-end", "bounds",
             "--scenario flood --nodes 20 --adversaries 0.1 --hours 0.25 --sealing real --values 20", [
        ("DHTEnvelope/Sessions/VerifiedRecords.swift", "digests.remove(order[next])", ""),
    ]),
    Mutation("losses-are-believed", "bounds", AMNESIAC, [
        ("DHTCore/Replication/Losses.swift",
         "        guard now.since(belief.last) >= belief.pause else { return nil }\n        belief.pause",
         "        belief.pause"),
    ]),
    Mutation("room-without-end", "bounds", PROMISING, [
        ("DHTEngine/Content/ContentInventory.swift", "if known?.isReferred == true || known?.owner == .users { return [] }",
         "if reference.length > 0 { return [] }"),
    ]),
    Mutation("wrong-pieces-are-no-lie", "bounds", SPOILING, [
        ("DHTEngine/Content/ContentFetch.swift",
         "            release(assignment.part)\n            dismiss(assignment.source, .liar)\n",
         "            release(assignment.part)\n"),
    ]),
    Mutation("lies-are-forgotten", "bounds", SPOILING, [
        ("DHTEngine/Content/ContentTransfers.swift", "        liars.record(liar, of: reference.digest, at: now)\n", ""),
    ]),
    # replay
    Mutation("replays-are-taken", "replay", SWARM, [
        ("DHTEnvelope/Defence/ReplayWindow.swift", "{ !contains(counter) && !isTooOld(counter) }",
         "{ !isTooOld(counter) }"),
    ]),
    # patience
    Mutation("ghosts-are-waited-for", "patience", HAUNTING, [
        ("DHTCore/Lookups/Candidate.swift", "var isGhost: Bool { state.isSlow && !isVouchedFor }",
         "var isGhost: Bool { false }"),
    ]),
    Mutation("puts-wait-for-the-last", "patience", DAWDLING, [
        ("DHTCore/Operations/PutOperation.swift", "guard deadline == nil, hasEnough, !passing.isUnderWay else { return }",
         "guard deadline == nil, stored(for: .init(family: nil)) >= .max else { return }"),
    ]),
    # liveness
    Mutation("wants-are-believed", "liveness", WANTING, [
        ("DHTEngine/Content/Wants.swift", "if now.since(want.since) < Self.grace { return true }",
         "if held < reference.length { return true }"),
    ]),
    Mutation("silence-ends-no-search", "liveness", SWARM, [
        ("DHTCore/Node/KademliaNode.swift",
         "            searches[search]?.lookup.failed(call.contact.identity)\n", ""),
    ]),
    Mutation("silence-ends-no-put", "liveness", SWARM, [
        ("DHTCore/Node/KademliaNode.swift",
         "let more = puts[put.operation]?.answered(call.contact.identity, .timeout) ?? []",
         "let more: [Contact] = []"),
    ]),
    Mutation("lost-tickets", "liveness", SWARM, [
        ("DHTEngine/Engine.swift", "case .unavailable: core.storeFailed(ticket, in: &inner)",
         "case .unavailable: break"),
    ]),
    # convergence
    Mutation("moves-are-missed", "convergence", SWARM, [
        ("DHTCore/Messages/Contact.swift", "            endpoint = place\n", ""),
    ]),
    Mutation("given-up-for-good", "convergence", SWARM, [
        ("DHTCore/Routing/RoutingTable.swift",
         "for entry in bucket.entries where entry.reachability.checkAt <= now {",
         "for entry in bucket.entries where entry.reachability.checkAt <= now && !entry.isBad {"),
    ]),
    # admission
    Mutation("anybody-is-heard", "admission", SEALED, [
        ("DHTEnvelope/Gate/Opening.swift",
         "guard admission.admits(header.sender) else {", "if false {"),
    ]),
    Mutation("anybody-is-asked", "admission", SEALED, [
        ("DHTEnvelope/Gate/GateSend.swift", "guard peer != keys.identity, admission.admits(peer),\n",
         "guard peer != keys.identity,\n"),
    ]),
]
