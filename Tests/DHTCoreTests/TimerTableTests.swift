import TestKit
import Testing

@testable import DHTCore

/// Timers against a dictionary of them.
@Suite struct TimerTableTests {
    private enum Name: Int, CaseIterable { case first, second, third }

    @Test func `nothing is due before anything is set`() {
        let table = TimerTable<Name>()
        #expect(table.next == nil)
        #expect(table.isDue(at: Instant(nanoseconds: .max)) == false)
        #expect(Name.allCases.allSatisfy { table[$0] == nil })
    }

    @Test func `a timer that was taken is due no more, and the others are`() {
        var table = TimerTable<Name>()
        table[.first] = at(5)
        table[.second] = at(7)
        #expect(table.take(.first, at: at(4)) == false)
        #expect(table.take(.first, at: at(5)) == true)
        #expect(table.take(.first, at: at(6)) == false)
        #expect(table.next == at(7))
    }

    @Test func `what is started goes on, and what is set no later comes no later`() {
        var table = TimerTable<Name>()
        table.start(.first, at: at(5))
        table.start(.first, at: at(3))
        #expect(table[.first] == at(5))
        table.set(.first, noLaterThan: at(8))
        #expect(table[.first] == at(5))
        table.set(.first, noLaterThan: at(4))
        #expect(table[.first] == at(4))
    }

    @Test func `a thousand changes leave what a dictionary has`() {
        var (table, twin, random) = (TimerTable<Name>(), [Name: Instant](), SplitMix64(seed: 3))
        for _ in 0..<1000 {
            guard let name = Name.allCases.randomElement(using: &random) else { continue }
            let time = at(UInt64.random(in: 0..<20, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0: (table[name], twin[name]) = (time, time)
            case 1: (table[name], twin[name]) = (nil, nil)
            case 2:
                table.set(name, noLaterThan: time)
                twin[name] = min(twin[name] ?? time, time)
            case 3:
                table.start(name, at: time)
                twin[name] = twin[name] ?? time
            case 4:
                let isTaken = table.take(name, at: time)
                let isExpected = twin[name].map { $0 <= time } ?? false
                #expect(isTaken == isExpected)
                if isExpected { twin[name] = nil }
            default:
                table.postpone(to: time)
                twin = twin.mapValues { max($0, time) }
            }
            #expect(table.next == twin.values.min())
            #expect(Name.allCases.allSatisfy { table[$0] == twin[$0] })
            for name in Name.allCases {
                let isExpected = twin[name].map { $0 <= time } ?? false
                #expect(table.isDue(name, at: time) == isExpected)
            }
        }
        table.clear()
        #expect(table.next == nil)
    }
}
