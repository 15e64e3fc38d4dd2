import DHTCore
import DHTCrypto

/// The invitations of one node: which are open, until when, and who used them. Times are Unix milliseconds by
/// the inviter's clock, the only one that counts.
package struct InvitationBook: Sendable {
    /// One line that was given out.
    package struct Entry: Hashable, Sendable {
        package let secret: [UInt8]
        /// The name of the machine it is for, in the roster to come.
        package let name: String
        package let expires: UInt64
        /// The one that it let in, and when.
        package fileprivate(set) var used: Use?

        package init(secret: [UInt8], name: String, expires: UInt64) {
            (self.secret, self.name, self.expires) = (secret, name, expires)
        }
    }

    /// An invitation that let somebody in.
    package struct Use: Hashable, Sendable {
        package let by: Identity
        package let at: UInt64
    }

    /// The treatment of a machine that shows an invitation.
    package enum Verdict: Hashable, Sendable {
        /// Let in: it is used up from now on, and that is to be on the disk before anybody is told.
        case welcome
        /// The same one asks again within a minute: the answer may have been lost.
        case again
        /// Its time is over, or it was closed.
        case over
        /// Another one was let in by it, or a minute ago.
        case used
    }

    /// The outcome of opening an invitation.
    package enum Opening: Hashable, Sendable {
        case opened
        /// As many are open as may be.
        case full
        /// One for that name is open already.
        case nameTaken
    }

    /// Open ones at a time.
    package static let capacity = 16
    /// For so long the one that was let in is answered again.
    static let patience: UInt64 = 60_000

    package private(set) var entries: [Entry] = []

    package init() {}

    package mutating func open(_ entry: Entry, at now: UInt64) -> Opening {
        close(at: now)
        guard entries.count < Self.capacity else { return .full }
        guard !entries.contains(where: { $0.name == entry.name && $0.used == nil }) else { return .nameTaken }
        entries.append(entry)
        return .opened
    }

    /// Somebody shows the invitation.
    package mutating func show(_ secret: [UInt8], by identity: Identity, at now: UInt64) -> Verdict {
        guard let index = entries.firstIndex(where: { $0.secret == secret }) else { return .over }
        if let used = entries[index].used {
            return used.by == identity && now < used.at +| Self.patience ? .again : .used
        }
        guard now < entries[index].expires else { return .over }
        entries[index].used = Use(by: identity, at: now)
        return .welcome
    }

    /// It let nobody in after all: nothing could be signed.
    package mutating func takeBack(_ secret: [UInt8]) {
        guard let index = entries.firstIndex(where: { $0.secret == secret }) else { return }
        entries[index].used = nil
    }

    /// Forgets those that are of no use any more; whether there were any.
    @discardableResult
    package mutating func close(at now: UInt64) -> Bool {
        let count = entries.count
        entries.removeAll { entry in
            entry.used.map { now >= $0.at +| Self.patience } ?? (now >= entry.expires)
        }
        return entries.count < count
    }

    /// Forgets one that nobody was given.
    package mutating func close(_ secret: [UInt8]) { entries.removeAll { $0.secret == secret } }

    // MARK: A file

    /// A line for each: secret, name, expiry, and who used it when.
    package var file: [UInt8] {
        let lines = entries.map { entry in
            let used = entry.used.map { " \($0.by.text) \($0.at)" } ?? ""
            return "\(hexadecimal(entry.secret)) \(entry.name) \(entry.expires)\(used)\n"
        }
        return Array(lines.joined().utf8)
    }

    /// Reads a file; a line that is none is passed over: its invitation is lost, and nobody gets in by it.
    package init(file: [UInt8]) {
        for line in String(decoding: file, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3 || words.count == 5, let secret = bytes(hexadecimal: String(words[0])),
                secret.count == InvitationText.secretLength, let expires = UInt64(words[2])
            else { continue }
            var entry = Entry(secret: secret, name: String(words[1]), expires: expires)
            if words.count == 5 {
                guard let by = try? Identity(text: String(words[3])), let at = UInt64(words[4]) else {
                    continue
                }
                entry.used = Use(by: by, at: at)
            }
            entries.append(entry)
        }
    }
}
