import Testing

@testable import DHTCore
@testable import DHTSimulator

/// Worlds in which some members lie: the lies are told, and no honest member is the worse for it.
struct BadFaithTests {
    private func report(of scenario: Scenario) -> SimulationReport {
        var options = SimulationOptions(scenario: scenario, nodes: 12, hours: 0.1, seed: 1)
        options.sealing = .standIn
        options.values = 20
        options.reads = 60
        let report = Simulation(options).run()
        let text = "dht simulate --scenario \(scenario.rawValue) --nodes 12 --hours 0.1 --seed 1 --values 20"
        #expect(report.violations.isEmpty, "\(text) --reads 60 --sealing stand-in")
        #expect(report.readsSucceeded == report.reads)
        #expect(report.readsWrong == 0)
        #expect(report.contentsRead > 0)
        #expect(report.contentsMissed == 0)
        return report
    }

    @Test func `who wants and does not fetch is not believed for long`() throws {
        let report = report(of: .wanting)
        #expect(try #require(report.counters["wants_disbelieved"]) > 0)
        #expect(try #require(report.counters[Conduct.Offence.wantsInVain.rawValue]) > 0)
    }

    @Test func `content that is promised and does not come is given up`() throws {
        let report = report(of: .promising)
        #expect(try #require(report.counters["content_abandoned"]) > 0)
        #expect(try #require(report.counters[Conduct.Offence.undeliveredContent.rawValue]) > 0)
    }

    @Test func `who seems to get on with what it wants holds up nobody who has copies enough`() throws {
        let report = report(of: .dawdling)
        #expect(try #require(report.counters["wants_disbelieved"]) > 0)
    }

    @Test func `wrong pieces are given, and whoever needs the content gets it from others`() throws {
        let report = report(of: .spoiling)
        #expect(report.chunksSpoilt > 0)
        #expect(try #require(report.counters["parts_broken"]) > 0)
        #expect(try #require(report.counters[Conduct.Offence.brokenContent.rawValue]) > 0)
    }

    @Test func `members that never run and useless addresses keep nobody waiting`() throws {
        let report = report(of: .haunting)
        #expect(report.ghostsNamed > 0)
        #expect(try #require(report.counters[Conduct.Offence.unusableContacts.rawValue]) > 0)
    }

    @Test func `who loses everything over and over is given it ever more seldom`() throws {
        let report = report(of: .amnesiac)
        #expect(try #require(report.counters[Conduct.Offence.lostOverAndOver.rawValue]) > 0)
    }
}
