import SecureDHT

/// The members, as the node has them: `dht members`.
package struct MembersReply: Codable, Hashable, Sendable {
    package struct Member: Codable, Hashable, Sendable {
        package var id: String
        package var name: String
        package var state: String
        /// Of the roster that it said it holds, 0: none.
        @OrNull package private(set) var serial: UInt64?
        package var write: Bool

        package init(id: String, name: String, state: String, serial: UInt64?, write: Bool) {
            (self.id, self.name, self.state, self.serial, self.write) = (id, name, state, serial, write)
        }
    }

    package private(set) var schema = 1
    /// Of the roster that counts here; 0: none does.
    package var serial: UInt64
    /// When it was signed, in Unix seconds.
    @OrNull package private(set) var signed: UInt64?
    package var administrators: [String]
    package var members: [Member]

    package init(serial: UInt64, signed: UInt64?, administrators: [String], members: [Member]) {
        (self.serial, self.signed) = (serial, signed)
        (self.administrators, self.members) = (administrators, members)
    }
}

/// How far a roster has come: what `dht admit`, `dht revoke` and `dht roster push` say.
package struct SpreadReply: Codable, Hashable, Sendable {
    package struct Members: Codable, Hashable, Sendable {
        package var reached: Int
        package var total: Int

        package init(reached: Int, total: Int) { (self.reached, self.total) = (reached, total) }
    }

    package private(set) var schema = 1
    package var serial: UInt64
    package var members: Members
    package var seconds: Double
    /// Names of members that answer, and do not hold it yet.
    package var behind: [String]
    /// Names of members that do not answer.
    package var absent: [String]

    package init(
        serial: UInt64,
        members: Members,
        seconds: Double,
        behind: [String] = [],
        absent: [String] = []
    ) {
        (self.serial, self.members, self.seconds) = (serial, members, seconds)
        (self.behind, self.absent) = (behind, absent)
    }

    init(_ spread: RosterSpread) {
        self.init(
            serial: spread.serial,
            members: Members(reached: spread.reached, total: spread.total),
            seconds: (Double(spread.duration.wholeMilliseconds) / 1000),
            behind: spread.behind,
            absent: spread.absent
        )
    }
}

/// The file of the roster that counts: `dht roster show` and `export`.
package struct RosterReply: Codable, Hashable, Sendable {
    package private(set) var schema = 1
    package var serial: UInt64
    package var signed: UInt64
    package var administrator: String
    /// The file's text: its first line is the head, the rest what was signed.
    package var roster: String

    package init(serial: UInt64, signed: UInt64, administrator: String, roster: String) {
        (self.serial, self.signed) = (serial, signed)
        (self.administrator, self.roster) = (administrator, roster)
    }
}

/// A line that lets one machine in.
package struct InviteReply: Codable, Hashable, Sendable {
    package private(set) var schema = 1
    package var invitation: String
    package var name: String
    /// For which it is open.
    package var seconds: UInt32

    package init(invitation: String, name: String, seconds: UInt32) {
        (self.invitation, self.name, self.seconds) = (invitation, name, seconds)
    }
}
