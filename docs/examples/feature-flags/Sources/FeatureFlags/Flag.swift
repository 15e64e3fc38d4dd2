import Hummingbird

/// A flag as its users see it.
struct Flag: Hashable, ResponseCodable {
    let isOn: Bool
    /// Of the users who are to have it, 0…100.
    let percentage: Int
}

/// The name of a flag: 1 to 100 characters of A-Z a-z 0-9 . _ -
struct FlagName: LosslessStringConvertible {
    private static let characters = Set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-".utf8
    )

    let description: String

    init?(_ description: String) {
        guard (1...100).contains(description.utf8.count),
            description.utf8.allSatisfy(Self.characters.contains)
        else { return nil }
        self.description = description
    }
}
