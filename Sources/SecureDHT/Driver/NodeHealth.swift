import DHTCore
import DHTEngine
import DHTEnvelope
import DHTStorage
import FoundationEssentials
import Logging
import NIOCore

// How the node stands to the others, and who tells the operator.

extension NodeLoop {
    /// Between two looks.
    private static let healthPause = Interval.seconds(1)
    /// How long after the last report another process with our key is complained of.
    private static let twinMemory = Interval.minutes(30)

    /// Looks now and then whether anybody answers.
    func watchHealth() {
        guard !timers.isRunning(.watchingHealth) else { return }
        let pause = TimeAmount.nanoseconds(Int64(Self.healthPause.nanoseconds))
        let timer = eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [weak self] _ in
            self?.assumeIsolated { $0.lookAtHealth() }
        }
        timers.start(.watchingHealth, timer)
    }

    /// Contacts that answer, and when they last did.
    var goodContacts: [RememberedContact] {
        let now = SystemClock.now
        return engine.core.table.contacts.filter { $0.reachability.grade == .good }.map { entry in
            RememberedContact(
                identity: entry.contact.identity,
                endpoint: entry.contact.endpoint,
                answered: now.unixMilliseconds(of: entry.lastAnswered)
            )
        }
    }

    /// How many nodes there are besides us, and how many of them answer.
    var company: Company {
        let admission = engine.gate.admission
        var (members, named): (Int?, Int) = (nil, keeper.seeds.peers.count)
        if case .members(let list) = admission {
            let count = list.members.count { $0.identity != engine.identity }
            (members, named) = (count, count)
        }
        let own = engine.identity
        return keeper.company(
            goodContacts,
            named: named,
            members: members,
            unixMilliseconds: SystemClock.now.unixMilliseconds
        ) { admission.admits($0) && $0 != own }
    }

    private func lookAtHealth() {
        metrics.look(at: SystemClock.now.instant)
        defer { metrics.expectLook(at: SystemClock.now.instant + Self.healthPause) }
        let company = company
        sampleMetrics(company)
        switch keeper.healthNews(company, at: SystemClock.now.instant) {
        case .isolated:
            logger.warning(
                "nobody answers: \(company.isolation)",
                metadata: ["causes": "\(causesOfSilence.joined(separator: "; "))"]
            )
        case .whole: logger.notice("others answer again", metadata: ["up": "\(company.up)"])
        case nil: break
        }
        let split = engine.core.familySplit(at: SystemClock.now.instant)
        if keeper.isNews(split), let split { logger.warning("address families: \(split.text)") }
    }

    /// The possible causes when nobody answers, the likeliest first.
    private var causesOfSilence: [String] {
        var causes: [String] = []
        for refusal in sockets.refusals.counters where refusal.count > 0 {
            causes.append("the system refused to send: \(refusal.name) \(refusal.count)")
        }
        if engine.counters.rejected.contains(where: { $0.reason == .header && $0.count > 0 }) {
            causes.append(
                "datagrams come that another network key made: compare `network` in the status of both"
            )
        }
        for knock in engine.gate.knocks.all.prefix(3) {
            causes.append("\(knock.identity.text) at \(knock.endpoint) asks, and is not on the list here")
        }
        var names = keeper.seeds.peers.map(\.identity).compactMap { memberName($0) ?? $0.text }
        names = Array(names.prefix(3))
        if names.isEmpty {
            causes.append("no address of anybody is known: name a peer, or addr= in the list")
        }
        for name in names { causes.append("refused by \(name)? see the peers there, and that it runs") }
        return causes
    }

    /// Tells the operator of senders that asked and are not on the list: only this node can see them.
    func warnOfKnocks() {
        for knock in engine.gate.knocks.takeNews() {
            logger.warning(
                "somebody who is not on the list here asks in vain: add it, if it ought to be",
                metadata: ["identity": "\(knock.identity.text)", "from": "\(knock.endpoint)"]
            )
        }
    }

    /// Those who ask in vain, the last first.
    var knocking: [Knocker] {
        let now = SystemClock.now
        return engine.gate.knocks.all.map { knock in
            Knocker(
                identity: knock.identity,
                address: knock.endpoint,
                count: knock.count,
                last: Date(unixMilliseconds: now.unixMilliseconds(of: knock.last))
            )
        }
    }

    /// Faults of the node; empty: none.
    func complaints(_ company: Company) -> [NodeStatus.Complaint] {
        var complaints: [NodeStatus.Complaint] = []
        if company.isIsolated { complaints.append(.init(.isolated, company.isolation)) }
        let now = SystemClock.now.instant
        let isTwinned = engine.core.conduct.report.contains {
            $0.identity == engine.identity && now.since($0.last) < Self.twinMemory
        }
        if isTwinned {
            complaints.append(
                .init(.twoProcesses, "another process runs with this node's key, as others say")
            )
        }
        for address in sockets.closedAddresses {
            complaints.append(.init(.listen, "\(address) is not open; it is tried again and again"))
        }
        if let split = engine.core.familySplit(at: now) { complaints.append(.init(.family, split.text)) }
        if let problem = storage.problem { complaints.append(.init(.disk, problem)) }
        return complaints
    }
}
