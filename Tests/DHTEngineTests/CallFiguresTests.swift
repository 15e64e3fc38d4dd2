import DHTCore
import Testing

@testable import DHTEngine

struct CallFiguresTests {
    @Test func `each duration is in the first bucket whose bound it does not exceed`() {
        var figures = CallFigures()
        for bound in CallFigures.bounds {
            figures.end(.store, .answered, after: bound)
            figures.end(.store, .answered, after: Interval(nanoseconds: bound.nanoseconds + 1))
        }
        figures.end(.store, .timeout, after: .minutes(5))
        figures.end(.passOn, .timeout, after: Interval(nanoseconds: 0))
        var wanted = [UInt64](repeating: 2, count: CallFigures.bounds.count)
        wanted[0] = 1
        #expect(figures.buckets(.store, .answered) == wanted + [1])
        #expect(figures.buckets(.store, .timeout).last == 1)
        #expect(figures.buckets(.passOn, .timeout).first == 1)
        #expect(figures.buckets(.ping, .answered).allSatisfy { $0 == 0 })
        #expect(CallFigures.bounds == CallFigures.bounds.sorted())
    }

    @Test func `operations are told apart`() {
        var figures = CallFigures()
        for (times, operation) in OperationCode.allCases.enumerated() {
            for _ in 0..<times { figures.begin(operation) }
            for _ in 0..<times * 2 { figures.accept(operation) }
        }
        #expect(OperationCode.allCases.map { figures.outbound($0) } == [0, 1, 2, 3, 4, 5, 6, 7])
        #expect(OperationCode.allCases.map { figures.inbound($0) } == [0, 2, 4, 6, 8, 10, 12, 14])
    }

    @Test func `single requests are told once, and only to somebody who looks`() {
        var figures = CallFigures()
        figures.end(.ping, .answered, after: .seconds(1))
        figures.isObserved = true
        figures.end(.findNode, .repeated, after: .seconds(2))
        var told: [CallFigures.Observation] = []
        figures.take { told.append($0) }
        figures.take { told.append($0) }
        #expect(told == [.init(operation: .findNode, outcome: .repeated, duration: .seconds(2))])
    }
}
