import DHTCore
import DHTCrypto
import DHTEnvelope
import Glibc

/// A promise about any bytes at all: ``run(_:)`` ends the process where one does not hold.
enum FuzzTarget: String, CaseIterable {
    case header
    case body
    case message
    case record
    case allowlist
    case keytext

    func run(_ bytes: [UInt8]) {
        switch self {
        case .header: checkHeader(bytes)
        case .body: checkBody(bytes)
        case .message: checkMessage(bytes)
        case .record: checkRecord(bytes)
        case .allowlist: checkAllowlist(bytes)
        case .keytext: checkKeyText(bytes)
        }
    }
}

/// Ends the process if a promise is broken. Unlike `precondition` it says which in a release build too.
private func promise(_ isKept: Bool, _ words: @autoclosure () -> String) {
    guard !isKept else { return }
    let line = "broken promise: \(words())\n"
    unsafe write(STDERR_FILENO, line, line.utf8.count)
    abort()
}

/// Whether `bytes` are `start` and zeros.
private func isPadded(_ bytes: ArraySlice<UInt8>, _ start: [UInt8]) -> Bool {
    bytes.starts(with: start) && bytes.dropFirst(start.count).allSatisfy { $0 == 0 }
}

// MARK: Datagrams

/// A header that decodes encodes to the same bytes; one that does not is dropped for what the header says.
private func checkHeader(_ bytes: [UInt8]) {
    switch Header.decode(bytes) {
    case .header(let header):
        promise(header.encoded == bytes, "a header encodes to what it was decoded from")
        promise(header.kind == .request || header.recipientKeyID != 0, "no response is boxed to a static key")
    case .dropped(let reason):
        promise([.header, .version, .kind].contains(reason), "a header is not dropped for `\(reason)`")
    }
}

/// A body that decodes encodes to the same bytes, from the middle of others as well.
private func checkBody(_ bytes: [UInt8]) {
    let body = Body.decode(bytes[...])
    promise(Body.decode(([9, 9, 9] + bytes)[3...]) == body, "a body does not depend on where it starts")
    guard let body else { return }
    var encoded: [UInt8] = []
    body.append(to: &encoded, length: bytes.count)
    promise(encoded == bytes, "a body encodes to what it was decoded from")
}

// MARK: Messages

/// kind ‖ operation ‖ status ‖ payload. What decodes encodes to the same payload, status and padding; and in
/// any smaller room to something that decodes as well.
private func checkMessage(_ bytes: [UInt8]) {
    guard bytes.count >= 3, bytes.count - 3 <= Datagram.maximumPayload else { return }
    var body = Body(
        operation: bytes[1],
        status: bytes[2],
        number: 0,
        challenge: 0,
        payload: bytes.dropFirst(3)
    )
    if bytes[0] == Header.Kind.request.rawValue {
        guard let request = MessageCodec.decodeRequest(body) else { return }
        promise(request.operation.rawValue == body.operation, "a request is of its body's operation")
        promise(
            isPadded(body.payload, MessageCodec.encode(request)),
            "a request encodes to what it was decoded from"
        )
        return
    }
    guard let response = MessageCodec.decodeResponse(body) else { return }
    let (status, payload) = MessageCodec.encode(response, room: body.payload.count)
    promise(status == body.status, "a response keeps its status \(body.status), not \(status)")
    promise(isPadded(body.payload, payload), "a response encodes to what it was decoded from")
    for length in Datagram.lengths {
        let room = length - Datagram.overhead
        let fitting = MessageCodec.encode(response, room: room)
        (body.status, body.payload) = (fitting.status, fitting.payload[...])
        promise(body.payload.count <= room, "a response of \(body.payload.count) bytes fits \(room)")
        promise(MessageCodec.decodeResponse(body) != nil, "what was encoded for \(room) bytes decodes")
    }
}

// MARK: Records

/// The fields of a record that decodes are within their limits and make up its bytes.
private func checkRecord(_ bytes: [UInt8]) {
    guard let record = RecordCodec.decode(bytes) else { return }
    promise(record.bytes == bytes, "a record is the bytes it was decoded from")
    promise(bytes.count <= RecordLayout.maximumLength, "a record of \(bytes.count) bytes")
    promise(RecordLayout.keyLengths.contains(record.key.count), "a key of \(record.key.count) bytes")
    promise(record.value.count <= RecordLayout.maximumValueLength, "a value of \(record.value.count) bytes")
    promise(RecordLayout.lifetimes.contains(record.lifetime), "a lifetime of \(record.lifetime) s")
    promise(!record.isTombstone || record.value.isEmpty, "a tombstone has no value")
    promise(record.expiry > record.revision.unixMilliseconds, "a record ends after it began")
    promise(record.location == sha1(record.key), "a record lies where its key says")
    promise(!record.supersedes(record) && !record.isNewer(than: record), "no record beats itself")

    var fields = [RecordLayout.version, record.kind.rawValue, UInt8(record.key.count)] + record.key
    record.author.append(to: &fields)
    fields.appendBigEndian(record.revision.rawValue)
    fields.appendBigEndian(record.lifetime)
    fields.appendBigEndian(UInt16(record.value.count))
    fields += record.value
    promise(fields == Array(record.signedFields), "a record's fields are what is signed")
    promise(fields + record.signature == bytes, "a record is its fields and a signature")
}

// MARK: Texts

/// A list that is taken, written out plainly, says the same again, and has nothing to add to itself; a
/// complaint about one names a place in it.
private func checkAllowlist(_ bytes: [UInt8]) {
    do throws(AllowlistError) {
        let list = try Allowlist(parsing: bytes, file: "list")
        let members = list.members.map { member in
            let options =
                member.addresses.map { " addr=\($0)" }.joined() + (member.mayWrite ? "" : " write=no")
            return "\(member.identity) \(member.name)\(options)\n"
        }
        let revocations = list.revoked.map { "@revoked \($0.identity) \($0.name)\n" }
        promise(
            try Allowlist(parsing: (members + revocations).joined(), file: "again") == list,
            "a list written out is the list"
        )
        var merged = list
        try merged.merge(list)
        promise(merged == list, "a list has nothing to add to itself")
        for member in list.members {
            promise(list.member(member.identity) == member, "each member is found")
            promise(!list.revoked.contains { $0.identity == member.identity }, "no member is revoked")
        }
    } catch {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        promise(error.file == "list", "only what was read can be wrong: \(error)")
        promise((1...lines.count).contains(error.line), "line \(error.line) of \(lines.count)")
        promise(
            (1...lines[error.line - 1].count + 1).contains(error.column),
            "a column of the line: \(error)"
        )
        checkComplaint(error.message, about: Array(lines[error.line - 1]))
    }
}

/// As a text: a key that is taken is written back the same, but for the case, and a complaint is one short
/// line without the text of a secret. As bytes: the text of an identity leads back to it.
private func checkKeyText(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    do throws(KeyTextError) {
        let written = try Identity(text: text).text
        promise(text == written || text == written.uppercased(), "an identity is written as it was read")
    } catch {
        checkComplaint(error.description, about: bytes)
    }
    do throws(KeyTextError) {
        let written = try InvitationText(text: text).text
        promise(text == written || text == written.uppercased(), "an invitation is written as it was read")
    } catch {
        checkComplaint(error.description, about: bytes)
    }
    do throws(KeyTextError) {
        checkSecret(try SigningKey(secretText: bytes).secretText(), readFrom: text)
    } catch {
        checkComplaint(error.description, about: bytes)
    }
    do throws(KeyTextError) {
        checkSecret(try NetworkKey(secretText: bytes).secretText(), readFrom: text)
    } catch {
        checkComplaint(error.description, about: bytes)
    }
    guard let identity = Identity(bytes.prefix(Identity.byteCount)) else { return }
    do throws(KeyTextError) {
        promise(try Identity(text: identity.text) == identity, "an identity's text leads back to it")
    } catch {
        promise(error.reason == .invalidKey && !identity.isValidKey, "only an invalid key's text is refused")
    }
}

private func checkSecret(_ secretText: [UInt8], readFrom text: String) {
    let written = String(decoding: secretText, as: UTF8.self)
    promise(text == written || text == written.lowercased(), "a secret is written as it was read")
}

private func checkComplaint(_ complaint: String, about text: [UInt8]) {
    promise(complaint.utf8.count < 400, "a complaint is short, not \(complaint.utf8.count) bytes")
    promise(!complaint.utf8.contains { $0 < 32 || $0 == 127 }, "a complaint has no control characters")
    guard let kind = KeyKind(mentionedIn: text[...]), kind != .identity, text.count > 40 else { return }
    let end = String(decoding: text.suffix(12), as: UTF8.self)
    // A text may well end in the name of a kind, which every complaint may use.
    guard !"DHT-SECRET-KEY-1 DHT-SEALED-KEY-1 DHT-NETWORK-1".contains(end.uppercased()) else { return }
    promise(!complaint.contains(end), "a complaint does not repeat a secret")
}
