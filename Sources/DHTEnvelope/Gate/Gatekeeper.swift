import DHTCore
import DHTCrypto

/// The gate by which an engine has its datagrams sealed and opened.
///
/// A node's is the ``Gate``, and it can have no other: `SecureDHT` knows none. The simulator has two of its
/// own: one that seals nothing, for worlds too large to encrypt, and one that lies.
package protocol Gatekeeper: ~Copyable {
    var identity: Identity { get }
    var networkID: NetworkID { get }
    /// The rule of who may speak, and who may write.
    var admission: AdmissionPolicy { get }

    /// Replaces the rule of who is admitted, and forgets those who no longer are.
    mutating func replaceAdmission(_ policy: AdmissionPolicy)

    /// Whether the peer is known to receive at `endpoint`.
    func hasProved(_ identity: Identity, at endpoint: Endpoint) -> Bool

    /// Whether a request to the peer is expected to be live.
    func expectsLife(of identity: Identity, at endpoint: Endpoint, now: Instant) -> Bool

    /// When the peer last answered a request.
    func answeredAt(_ identity: Identity) -> Instant?

    /// Judges one datagram.
    mutating func receive(_ datagram: [UInt8], from endpoint: Endpoint, at now: Instant) -> Gate.Verdict

    /// A name for a request that nobody can guess.
    mutating func makeTransaction() -> UInt64

    /// The datagram for a request, whose answer is awaited from now on; `nil` if it may not be sent.
    mutating func draft(
        _ request: Request,
        to peer: Identity,
        at endpoint: Endpoint,
        _ options: Gate.SealOptions,
        now: Instant
    ) -> Outgoing?

    /// The datagram that answers a request.
    mutating func draft(_ response: Response, to inbound: Gate.InboundRequest, now: Instant) -> Outgoing?

    /// The bytes of a datagram; `nil` if it is lost.
    func finish(_ outgoing: Outgoing) -> [UInt8]?

    /// No more answers to this transaction are looked at.
    mutating func close(_ transaction: UInt64)

    /// Signs a record as this node.
    mutating func sign(_ draft: RecordCodec.Draft) -> Record

    /// Whether the record was signed by somebody who may write here.
    mutating func accepts(_ record: Record) -> Bool

    /// Does the work that has fallen due.
    mutating func advance(to now: Instant)

    /// When ``advance(to:)`` has something to do.
    var nextDeadline: Instant { get }

    /// The collections that others can make grow.
    var bounds: [Bound] { get }
}

extension Gate: Gatekeeper {
    package var bounds: [Bound] {
        [
            Bound("peers", sessions.count, of: sessions.capacity),
            Bound("sessions", sessions.sessionCount, of: sessions.capacity * PeerState.sessionLimit),
            Bound("first contacts", sessions.firstContacts.count, of: FirstContacts.capacity),
            Bound("shared keys", sharedKeys.count, of: sharedKeys.capacity),
            Bound("verified records", verified.count, of: VerifiedRecords.capacity),
            Bound("first-contact sources", lane.sourceCount, of: FirstContactLane.sourceCapacity),
        ]
    }
}

extension Gate.InboundRequest {
    /// A request that a gate of another kind took in.
    package init(
        sender: Identity,
        endpoint: Endpoint,
        request: Request,
        isLive: Bool,
        transaction: UInt64,
        length: Int
    ) {
        self.init(
            sender: sender,
            endpoint: endpoint,
            request: request,
            isLive: isLive,
            transaction: transaction,
            length: length,
            boxKey: nil,
            digest: SignedInput.noDigest
        )
    }
}

extension Gatekeeper where Self: ~Copyable {
    /// Takes out of a response what its sender had no right to put in: records that are not of the location
    /// or not signed by a writer, contacts that are not admitted, are ourselves, or have an address nobody
    /// can send to by the word of a peer at `source`.
    package mutating func filter(
        _ response: Response,
        asked: Request,
        namedBy source: Endpoint
    ) -> (response: Response, struckOut: Gate.Removed) {
        func unusable(_ contacts: [Contact]) -> Int {
            contacts.count { contact in
                !contact.endpoint.isUsable(namedBy: source)
                    || contact.other.map { !$0.isUsable(namedBy: source) } ?? false
            }
        }
        switch (response, asked) {
        case (.nodes(let contacts), _):
            let kept = usable(contacts, namedBy: source)
            let count = contacts.count - kept.count
            let struckOut = Gate.Removed(
                contacts: count,
                unusable: unusable(contacts),
                namesTwin: namesTwin(contacts)
            )
            return (.nodes(kept), struckOut)
        case (.values(let records, let total, let closer), .findValue(let location, let author, _)):
            var keptRecords: [Record] = []
            for record in records
            where record.location == location && (author == nil || record.author == author)
                && accepts(record)
            {
                if let index = keptRecords.firstIndex(where: { $0.author == record.author }) {
                    if record.supersedes(keptRecords[index]) { keptRecords[index] = record }
                } else {
                    keptRecords.append(record)
                }
            }
            let keptContacts = usable(closer, namedBy: source)
            let struckOut = Gate.Removed(
                records: records.count - keptRecords.count,
                contacts: closer.count - keptContacts.count,
                unusable: unusable(closer),
                namesTwin: namesTwin(closer)
            )
            return (.values(keptRecords, total: total, closer: keptContacts), struckOut)
        case (.conflict(let record?), .store(let offered, _)),
            (.conflict(let record?), .passOn(let offered, _)):
            guard record.location == offered.location, accepts(record) else {
                return (.conflict(nil), .init(records: 1))
            }
            return (response, .init())
        default: return (response, .init())
        }
    }

    /// Nobody names us to ourselves, but to say that another process has our key.
    private func namesTwin(_ contacts: [Contact]) -> Bool { contacts.contains { $0.identity == identity } }

    /// The contacts that are admitted, with those of their addresses that may be used.
    private func usable(_ contacts: [Contact], namedBy source: Endpoint) -> [Contact] {
        let (own, admission) = (identity, admission)
        var usable: [Contact] = []
        usable.reserveCapacity(contacts.count)
        for contact in contacts where contact.identity != own && admission.admits(contact.identity) {
            if let contact = contact.keeping(where: { $0.isUsable(namedBy: source) }) {
                usable.append(contact)
            }
        }
        return usable
    }
}
