import DHTCore
import Testing

@testable import SecureDHT

/// What the operator is told of members that have other address families.
struct FamilyWatchTests {
    @Test func `it is told once, and again when it was over`() {
        var watch = FamilyWatch()
        let split = FamilySplit(own: .ipv4, members: 14, withoutIPv4: 7, withoutIPv6: 0)
        let other = FamilySplit(own: .ipv4, members: 14, withoutIPv4: 8, withoutIPv6: 0)
        #expect(
            [nil, split, other, nil, split].map { watch.isNews($0) } == [false, true, false, false, true]
        )
    }

    @Test func `it says how many of how many lack which`() {
        let four = FamilySplit(own: .ipv4, members: 14, withoutIPv4: 7, withoutIPv6: 0)
        let six = FamilySplit(own: .ipv6, members: 9, withoutIPv4: 0, withoutIPv6: 2)
        let both = FamilySplit(own: .all, members: 14, withoutIPv4: 7, withoutIPv6: 6)
        #expect(four.text.hasPrefix("7 of 14 members have no IPv4 address"))
        #expect(six.text.hasPrefix("2 of 9 members have no IPv6 address"))
        #expect(both.text.hasPrefix("7 of 14 members have no IPv4 address and 6 no IPv6 address"))
    }
}
