/// Words about members and rosters.
package enum MemberText {
    private static let nameWidth = 12

    /// `laptop        good          8  dht1…`
    package static func members(_ reply: MembersReply) -> [String] {
        let head =
            reply.serial == 0
            ? "Roster: none; the members are in the files that the node was started with"
            : "Roster: \(reply.serial)" + (reply.signed.map { ", signed \(TimeText.ofYear($0))" } ?? "")
        let width = reply.members.map(\.name.count).max() ?? nameWidth
        return [head]
            + reply.members.map { member in
                let name = member.name.padding(to: width)
                let serial = member.serial.map { $0 == 0 ? "-" : "\($0)" } ?? "?"
                let state = member.state.padding(to: "questionable".count)
                return "\(name)  \(state)  \(serial)  \(member.id)\(member.write ? "" : "  write=no")"
            }
    }

    /// `revoked laptop: serial 8 at 19 of 19 members in 0.6 s`
    package static func spread(_ reply: SpreadReply, _ deed: String) -> String {
        let tenths = Int((reply.seconds * 10).rounded())
        let behind =
            reply.behind.isEmpty ? "" : "; not yet at \(reply.behind.joined(separator: ", "))"
        return "\(deed): serial \(reply.serial) at \(reply.members.reached) of "
            + "\(reply.members.total) members in \(tenths / 10).\(tenths % 10) s\(behind)"
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }
}
