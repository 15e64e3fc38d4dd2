import DHTCore
import DHTCrypto
import DHTEnvelope
import FoundationEssentials

extension Roster {
    /// Whether a file begins as a signed roster does, and not as a plain list.
    package static func isRoster(file path: String) throws(DHTError) -> Bool {
        isRoster(try Allowlist.contents(of: path))
    }

    /// Reads a roster's file; throws as ``init(parsing:of:file:)``, and as ``Allowlist/init(file:)``.
    public init(file path: String, of network: NetworkSecret) throws(DHTError) {
        try self.init(parsing: try Allowlist.contents(of: path), of: network, file: path)
    }

    /// Reads a roster's file, whose signature has to be good and for this network.
    ///
    /// - Parameters:
    ///   - bytes: The file's.
    ///   - network: The overlay's secret.
    ///   - file: Names the file in errors.
    /// - Throws: ``DHTError``: `configuration`, with file, line and column of what is wrong.
    public init(parsing bytes: [UInt8], of network: NetworkSecret, file: String) throws(DHTError) {
        do { try self.init(parsing: bytes, of: network.networkKey.id, file: file) } catch {
            throw DHTError(.configuration, "\(error)")
        }
    }

    /// Signs a list of members, in the grammar of an ``Allowlist``, as a roster.
    ///
    /// - Parameters:
    ///   - text: With a line `@admin` for each of those who may sign the next one.
    ///   - serial: Above that of the roster before.
    ///   - signed: Written into it, for people.
    ///   - key: An administrator's.
    ///   - network: The overlay's secret.
    ///   - file: Names the text in errors.
    /// - Throws: ``DHTError``: `configuration`, with file, line and column of what is wrong.
    public init(
        signing text: [UInt8],
        serial: UInt64,
        signed: Date = Date(),
        with key: NodeKey,
        network: NetworkSecret,
        file: String
    ) throws(DHTError) {
        do {
            self = try Roster.sign(
                text,
                serial: serial,
                time: signed.unixMilliseconds / 1000,
                with: key.signingKey,
                network: network.networkKey.id,
                file: file
            )
        } catch { throw DHTError(.configuration, "\(error)") }
    }

    /// The bytes of the roster's file.
    public func fileText(of network: NetworkSecret) -> [UInt8] { file(of: network.networkKey.id) }
}
