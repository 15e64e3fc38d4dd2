// The types that users name come, with their members, by the one import of this library: under
// `MemberImportVisibility` a member is seen by those alone who import the module it is declared in.

@_exported import DHTCore
@_exported import DHTCrypto
@_exported import DHTEnvelope

/// The public key of a node or of an author: ``DHTNode/identity``.
public typealias Identity = DHTCore.Identity
/// The place of a node in the key space, 160 bits: SHA-1 of its ``Identity``.
public typealias NodeID = DHTCore.NodeID
/// An IP address and a UDP port.
public typealias Endpoint = DHTCore.Endpoint
/// The time of a write by its author's clock, and a counter: ``StoredValue/revision``.
public typealias Revision = DHTCore.Revision
/// The members of the overlay: who may speak to a node, and whose records count.
public typealias Allowlist = DHTEnvelope.Allowlist
/// An error in an allowlist, and its place.
public typealias AllowlistError = DHTEnvelope.AllowlistError
/// A list of members that an administrator signed, and its serial (docs/protocol.md section 12).
public typealias Roster = DHTEnvelope.Roster
/// The error in the text of a key.
public typealias KeyTextError = DHTCrypto.KeyTextError
/// The kinds of keys that have a text form: `KeyTextError.expected`.
public typealias KeyKind = DHTCrypto.KeyKind
