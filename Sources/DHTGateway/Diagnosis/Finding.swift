/// Something that is wrong, in words, and what to do about it.
package struct Finding: Codable, Hashable, Sendable {
    /// The kind of trouble, for programs: `docs/operations.md` lists them. Names stay as they are.
    package enum Code: String, Codable, CaseIterable, Sendable {
        /// A member answers others and not us.
        case refusedBy = "refused-by"
        /// Somebody asks us who is not on our list.
        case refuses
        /// Datagrams come that another network key made.
        case networkKey = "network-key"
        /// Datagrams come of another version of the protocol.
        case version
        /// Our clock and a member's differ.
        case clock
        /// A member does not answer anybody.
        case unreachable
        /// Nobody answers.
        case isolated
        /// The system has no way to send to others.
        case noRoute = "no-route"
        /// An address to listen on is not open.
        case listen
        /// Members fall apart by their address families.
        case family
        /// A member is elsewhere than the list says.
        case moved
        /// Records are not kept on the disk, or soon cannot be.
        case disk
        /// Records lack copies.
        case copies
        /// The system allows less than the node needs.
        case limits
        /// Another process runs with our key.
        case twoProcesses = "two-processes"
        /// A member does what no honest one does.
        case suspect
        /// The node is not on its own list.
        case unlisted
        /// A member, or this node, holds an older roster than others.
        case rosterBehind = "roster-behind"
        /// Administrators signed two rosters of one serial.
        case rosterConflict = "roster-conflict"
    }

    package let code: Code
    /// Name or identity of the peer it is about, if it is about one.
    @OrNull package private(set) var peer: String?
    /// One sentence.
    package let text: String
    /// The next thing to type or to do, if there is one.
    @OrNull package private(set) var next: String?

    package init(_ code: Code, _ text: String, peer: String? = nil, next: String? = nil) {
        (self.code, self.peer, self.text, self.next) = (code, peer, printable(text), next.map(printable))
    }
}

/// The findings of a look at everything.
package struct DoctorReply: Codable, Hashable, Sendable {
    package private(set) var schema = 1
    package var ok: Bool
    /// The worst first.
    package var findings: [Finding]

    package init(findings: [Finding]) { (ok, self.findings) = (findings.isEmpty, findings) }
}
