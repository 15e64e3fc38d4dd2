import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

struct InvitationTests {
    private let secret = [UInt8](repeating: 5, count: InvitationText.secretLength)

    private func invitation(_ endpoints: [Endpoint]) -> InvitationText {
        InvitationText(inviter: .named("alice"), secret: secret, endpoints: endpoints)
    }

    @Test func `a line is read as it was written, and is short`() throws {
        for endpoints in [
            [Endpoint.host(1)], [.host(1), .ipv6(subnet: 1, host: 2)],
            [.ipv6(subnet: 1, host: 2), .host(1), .ipv6(subnet: 3, host: 4)],
        ] {
            let invitation = invitation(endpoints)
            #expect(invitation.text.hasPrefix("dht-join1"))
            #expect(invitation.text.count <= 180)
            #expect(try InvitationText(text: invitation.text) == invitation)
            #expect(try InvitationText(text: invitation.text.uppercased()) == invitation)
        }
    }

    @Test func `a line that was cut, changed or is another thing is refused, and not shown`() {
        let text = invitation([.host(1)]).text
        func error(_ text: String) -> String? {
            do {
                _ = try InvitationText(text: text)
                return nil
            } catch { return error.description }
        }
        for end in 0..<text.count {
            let cut = String(text.prefix(end))
            let error = error(cut)
            #expect(error != nil, "\(end)")
            if end > 12 { #expect(error?.contains(cut.suffix(8)) == false) }
        }
        for index in text.indices.dropFirst(9) {
            var changed = text
            changed.replaceSubrange(index...index, with: changed[index] == "q" ? "p" : "q")
            #expect(error(changed)?.contains("bad checksum") == true)
        }
        #expect(
            error(Identity.named("bob").text)?.hasPrefix("that is an identity, not an invitation") == true
        )
        #expect(error("hello")?.contains("it does not begin with dht-join1") == true)
    }

    @Test func `an invitation lets one in, once, for as long as it is open`() {
        var book = InvitationBook()
        let (bob, eve) = (Identity.named("bob"), Identity.named("eve"))
        let isOpen = book.open(.init(secret: secret, name: "laptop", expires: 10_000), at: 0)
        #expect(isOpen == .opened)
        let verdicts = [
            book.show([9], by: bob, at: 1), book.show(secret, by: bob, at: 9_999),
            book.show(secret, by: bob, at: 60_000), book.show(secret, by: eve, at: 60_000),
            book.show(secret, by: bob, at: 70_000),
        ]
        #expect(verdicts == [.over, .welcome, .again, .used, .used])
        var late = InvitationBook()
        _ = late.open(.init(secret: secret, name: "laptop", expires: 10_000), at: 0)
        let verdict = late.show(secret, by: bob, at: 10_000)
        #expect(verdict == .over)
    }

    @Test func `invitations are as used up in the next process as in this one`() {
        var book = InvitationBook()
        _ = book.open(.init(secret: secret, name: "laptop", expires: 10_000), at: 0)
        _ = book.open(.init(secret: [UInt8](repeating: 6, count: 16), name: "nas", expires: 20_000), at: 0)
        _ = book.show(secret, by: .named("bob"), at: 5_000)
        var next = InvitationBook(file: book.file)
        #expect(next.entries == book.entries)
        let verdict = next.show(secret, by: .named("eve"), at: 6_000)
        #expect(verdict == .used)
        #expect(InvitationBook(file: Array("nonsense\nzz laptop 1\n".utf8)).entries.isEmpty)
    }

    @Test func `no more are open than sixteen, one for a name, and what is over makes room`() {
        var book = InvitationBook()
        func open(_ number: UInt8, _ name: String, at now: UInt64) -> InvitationBook.Opening {
            let secret = [UInt8](repeating: number, count: InvitationText.secretLength)
            return book.open(.init(secret: secret, name: name, expires: 1_000), at: now)
        }
        let first = (0..<15).map { open($0, "n\($0)", at: 0) }
        let second = [open(50, "n3", at: 0), open(51, "n15", at: 0), open(52, "n16", at: 0)]
        #expect(first.allSatisfy { $0 == .opened } && second == [.nameTaken, .opened, .full])
        let later = open(99, "n3", at: 1_000)
        #expect(later == .opened && book.entries.count == 1)
    }

    @Test func `one that could not be used after all can be used again, and one is closed at will`() {
        var book = InvitationBook()
        _ = book.open(.init(secret: secret, name: "laptop", expires: 10_000), at: 0)
        _ = book.show(secret, by: .named("bob"), at: 1)
        book.takeBack(secret)
        let verdict = book.show(secret, by: .named("eve"), at: 2)
        #expect(verdict == .welcome)
        book.close(secret)
        #expect(book.entries.isEmpty)
    }

    @Test func `a welcome is read as it was written, and nothing else is one`() {
        let welcome = Welcome.sample
        #expect(Welcome(welcome.encoded) == welcome)
        for end in 0..<welcome.encoded.count { #expect(Welcome(Array(welcome.encoded[..<end])) == nil) }
        #expect(Welcome(welcome.encoded + [0]) == nil)
    }
}
