import DHTCore
import DHTCrypto

extension Allowlist {
    /// Bounds of one file, so that a wrong path is an error and not a memory hog.
    package static let largestFile = 8 << 20
    static let mostLines = 65_536

    /// Reads a list; `file` names it in errors. The grammar: `docs/cli.md`, files.
    public init(parsing text: String, file: String) throws(AllowlistError) {
        try self.init(parsing: Array(text.utf8), file: file)
    }

    /// Reads a list from the bytes of a file, which must be UTF-8.
    public init(parsing text: [UInt8], file: String) throws(AllowlistError) {
        var parser = AllowlistParser(file: file)
        try parser.parse(text)
        try self.init(parser)
    }

    init(_ parser: AllowlistParser) throws(AllowlistError) {
        try self.init(
            entries: parser.entries,
            revoked: parser.revoked,
            administrators: parser.administrators
        )
    }
}

/// Reads an allowlist line by line.
///
///     IDENTITY  NAME  [option=value …]   # comment
///     @revoked IDENTITY name
///     @admin IDENTITY name
struct AllowlistParser {
    /// The characters between blanks, and the column of the first, from 1.
    private struct Word {
        let characters: ArraySlice<UInt8>
        let column: Int

        var text: String { String(decoding: characters, as: UTF8.self) }
    }

    private static let revocationMark = "@revoked"
    private static let administratorMark = "@admin"
    /// Begins the first line of a signed roster, which is none of the list's.
    static let rosterMark = "@roster"

    let file: String
    private var line = 0
    private(set) var entries: [Allowlist.Entry] = []
    private(set) var revoked: [Allowlist.Revocation] = []
    private(set) var administrators: [Allowlist.Administrator] = []
    private var expelled: Set<Identity> = []
    private var pinned: Set<Identity> = []
    private var firstLines: [Identity: Int] = [:]

    /// `linesBefore`: of the file, before the text.
    init(file: String, linesBefore: Int = 0) {
        self.file = file
        line = linesBefore
    }

    mutating func parse(_ text: [UInt8]) throws(AllowlistError) {
        guard text.count <= Allowlist.largestFile else {
            throw AllowlistError(place(1), "the file is larger than \(Allowlist.largestFile >> 20) MiB")
        }
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        var rest = text[...]
        if rest.starts(with: byteOrderMark) { rest = rest.dropFirst(byteOrderMark.count) }
        while !rest.isEmpty {
            line += 1
            guard line <= Allowlist.mostLines else {
                throw AllowlistError(place(1), "the file has more than \(Allowlist.mostLines) lines")
            }
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            var content = rest[..<end]
            if content.last == UInt8(ascii: "\r") { content.removeLast() }
            try parse(line: content)
            rest = rest[end...].dropFirst()
        }
    }

    private mutating func parse(line content: ArraySlice<UInt8>) throws(AllowlistError) {
        guard let text = String(validating: content, as: UTF8.self) else {
            throw AllowlistError(place(1), "the line is not UTF-8")
        }
        try refuseUnseen(text)
        let words = Self.words(of: content)
        guard let first = words.first else { return }
        for word in words { try refuseSecret(word) }
        if first.characters.first == UInt8(ascii: "@") {
            try parseMark(words)
        } else {
            try parseMember(words)
        }
    }

    /// Refuses what an editor shows as nothing, as a blank or as a new line, where a reader sees none: two
    /// people would read two lists. In a comment only that which ends a line for some and not for us, or
    /// turns what follows it around, can hide a member.
    private func refuseUnseen(_ text: String) throws(AllowlistError) {
        var (column, isComment) = (1, false)
        for scalar in text.unicodeScalars {
            isComment = isComment || scalar == "#"
            if Self.misleads(scalar, inComment: isComment) {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                let name = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
                throw AllowlistError(
                    place(column),
                    "U+\(name) stands here and is not seen; write plain blanks and line ends"
                )
            }
            column += UTF8.width(scalar)
        }
    }

    private static func misleads(_ scalar: Unicode.Scalar, inComment: Bool) -> Bool {
        if scalar == "\t" { return false }
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: return true
        case .format: return !inComment || scalar.properties.isBidiControl
        case .spaceSeparator: return scalar != " " && !inComment
        default: return false
        }
    }

    /// The words of a line, up to a comment.
    private static func words(of content: ArraySlice<UInt8>) -> [Word] {
        let code = content.prefix { $0 != UInt8(ascii: "#") }
        return code.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            .map { Word(characters: $0, column: $0.startIndex - content.startIndex + 1) }
    }

    /// A secret in the wrong file must not end up in a message as an unknown name or option.
    private func refuseSecret(_ word: Word) throws(AllowlistError) {
        guard let kind = KeyKind(mentionedIn: word.characters), kind != .identity else { return }
        if kind == .networkKey, AllowlistOption.isName(word.characters) { return }  // a host may be called so
        throw AllowlistError(place(word), KeyTextError.found(kind, insteadOf: .identity).description)
    }

    // MARK: Lines

    private mutating func parseMember(_ words: [Word]) throws(AllowlistError) {
        let first = words[0]
        let identity = try identity(first)
        if let earlier = firstLines[identity] {
            throw .listedAlready(place(first), inLine: earlier)
        }
        firstLines[identity] = line
        var rest = words.dropFirst()
        var name = String(identity.text.prefix(12))
        var namePlace = place(first)
        if let word = rest.first, !word.characters.contains(UInt8(ascii: "=")) {
            name = try self.name(word)
            namePlace = place(word)
            rest = rest.dropFirst()
        }
        var addresses: [String] = []
        var mayWrite: Bool?
        for word in rest {
            switch try option(word) {
            case .address(let address): addresses.append(address)
            case .write(let value):
                guard mayWrite == nil else { throw AllowlistError(place(word), "write is given twice") }
                mayWrite = value
            }
        }
        let member = Allowlist.Member(
            identity: identity,
            name: name,
            addresses: addresses,
            mayWrite: mayWrite ?? true
        )
        entries.append(.init(member: member, place: place(first), namePlace: namePlace))
    }

    /// `@revoked` or `@admin`, an identity, and a name perhaps.
    private mutating func parseMark(_ words: [Word]) throws(AllowlistError) {
        let mark = words[0].text
        guard mark == Self.revocationMark || mark == Self.administratorMark else {
            let isRoster = mark == Self.rosterMark
            throw AllowlistError(
                place(words[0]),
                isRoster
                    ? "\(mark) begins a signed roster, in its first line only"
                    : "a line begins with an identity, with \(Self.revocationMark) or with "
                        + Self.administratorMark
            )
        }
        guard words.count >= 2 else {
            throw AllowlistError(place(words[0]), "\(mark) is followed by an identity")
        }
        guard words.count <= 3 else {
            let whose = mark == Self.revocationMark ? "one revoked" : "an administrator"
            throw AllowlistError(place(words[3]), "nothing follows the name of \(whose)")
        }
        let identity = try identity(words[1])
        let name = words.count == 3 ? try name(words[2]) : String(identity.text.prefix(12))
        // Said twice is said.
        if mark == Self.revocationMark {
            guard expelled.insert(identity).inserted else { return }
            revoked.append(.init(identity: identity, name: name))
        } else if pinned.insert(identity).inserted {
            administrators.append(.init(identity: identity, name: name))
        }
    }

    // MARK: Words

    private func identity(_ word: Word) throws(AllowlistError) -> Identity {
        do { return try Identity(text: word.text) } catch {
            throw AllowlistError(place(word), error.description)
        }
    }

    private func name(_ word: Word) throws(AllowlistError) -> String {
        guard AllowlistOption.isName(word.characters) else {
            throw AllowlistError(place(word), AllowlistOption.nameRule)
        }
        return word.text
    }

    private func option(_ word: Word) throws(AllowlistError) -> AllowlistOption {
        do { return try AllowlistOption(word.characters) } catch {
            throw AllowlistError(place(word), error.message)
        }
    }

    private func place(_ column: Int) -> Allowlist.Place { .init(file: file, line: line, column: column) }

    private func place(_ word: Word) -> Allowlist.Place { place(word.column) }
}
