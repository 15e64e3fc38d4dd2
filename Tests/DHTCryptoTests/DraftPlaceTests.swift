import DHTCrypto
import Foundation
import Testing

struct DraftPlaceTests {
    private let folder: Folder
    private var target: String { folder.file("file") }

    init() throws { folder = try Folder() }

    private func make(_ name: String) throws { try folder.write("", to: name) }

    private func write(_ text: String, to draft: DraftPlace) {
        let bytes = Array(text.utf8)
        #expect(unsafe Glibc.write(draft.descriptor, bytes, bytes.count) == bytes.count)
    }

    private var text: String { folder.text("file") }

    @Test func `a draft has no name until it is given its target's`() throws {
        let draft = try #require(DraftPlace(of: target, mode: 0o600))
        defer { close(draft.descriptor) }
        write("new", to: draft)
        #expect(try folder.names() == [])
        #expect(draft.claim() == 0)
        #expect(try folder.names() == ["file"] && text == "new")
    }

    @Test(arguments: [true, false])
    func `a draft takes its target's place, or the place that nobody has`(isUnnamed: Bool) throws {
        for content in ["one", "two"] {
            let draft = try #require(DraftPlace(of: target, mode: 0o600, isUnnamed: isUnnamed))
            defer { close(draft.descriptor) }
            #expect(try folder.names().filter { $0 != "file" }.count == (isUnnamed ? 0 : 1))
            write(content, to: draft)
            if content == "two" {
                #expect(draft.claim() == -1 && errno == EEXIST)
                #expect(text == "one")
            }
            #expect(draft.replace() == 0)
            #expect(try folder.names() == ["file"] && text == content)
        }
    }

    @Test func `what a killed process left is removed, what is written still and what is not ours stays`()
        throws
    {
        for name in [
            "file.dht-draft-1", "file.dht-draft-22", "file.dht-draft-x", "other.dht-draft-1", "file.1.tmp",
        ] {
            try make(name)
        }
        let busy = unsafe open(folder.file("file.dht-draft-22"), O_RDONLY | O_CLOEXEC)
        defer { close(busy) }
        try #require(flock(busy, LOCK_EX | LOCK_NB) == 0)
        let draft = try #require(DraftPlace(of: target, mode: 0o600))
        defer { close(draft.descriptor) }
        #expect(
            try folder.names() == [
                "file.1.tmp", "file.dht-draft-22", "file.dht-draft-x", "other.dht-draft-1",
            ]
        )
    }

    @Test(arguments: [true, false])
    func `two drafts of one file do not mind each other, and the later one stays`(isUnnamed: Bool) throws {
        let drafts = try ["one", "two"].map { text in
            let draft = try #require(DraftPlace(of: target, mode: 0o600, isUnnamed: isUnnamed))
            write(text, to: draft)
            return draft
        }
        for draft in drafts {
            #expect(draft.replace() == 0 && draft.flush() == 0)
            draft.discard()
            close(draft.descriptor)
        }
        #expect(try folder.names() == ["file"] && text == "two")
    }

    @Test(arguments: [true, false])
    func `a draft that is given up leaves nothing`(isUnnamed: Bool) throws {
        let draft = try #require(DraftPlace(of: target, mode: 0o600, isUnnamed: isUnnamed))
        write("new", to: draft)
        draft.discard()
        close(draft.descriptor)
        #expect(try folder.names() == [])
    }

    @Test(arguments: [true, false])
    func `a file whose name is as long as a name may be is replaced as well`(isUnnamed: Bool) throws {
        let name = String(repeating: "ü", count: Int(NAME_MAX) / 2) + "x"
        try #require(name.utf8.count == NAME_MAX)
        for _ in 1...2 {
            let path = folder.file(name)
            let draft = try #require(DraftPlace(of: path, mode: 0o600, isUnnamed: isUnnamed))
            defer { close(draft.descriptor) }
            #expect(draft.replace() == 0)
            #expect(try folder.names() == [name])
        }
    }
}
