import NIOCore

/// By which names a server wants to be asked. A page from elsewhere whose name was made to lead here
/// (DNS rebinding) asks by its own.
struct WebHosts: Sendable {
    /// Addresses in their usual form, and names in lower case.
    private let names: Set<String>
    /// Any address will do, for the server has all of the machine's: no page's name is an address.
    private let admitsAddresses: Bool

    /// - Parameters:
    ///   - bound: The address it listens at.
    ///   - names: Further names.
    init(bound: String, names: [String]) {
        let bound = Self.usual(bound)
        let isLoopback = bound.hasPrefix("127.") || bound == "::1"
        let local = isLoopback ? ["localhost", "127.0.0.1", "::1"] : []
        self.names = Set([bound] + local + names.map(Self.usual))
        admitsAddresses = bound == "0.0.0.0" || bound == "::"
    }

    /// - Parameter authority: The header `Host`.
    func admit(_ authority: String?) -> Bool {
        guard let authority, let host = Self.host(of: authority) else { return false }
        let name = Self.usual(host)
        return names.contains(name) || admitsAddresses && Self.address(name) != nil
    }

    /// Whether a page of `origin` may ask: none may but our own.
    static func admit(origin: String, at authority: String?) -> Bool {
        guard let authority else { return false }
        return ["http://", "https://"].contains { origin.lowercased() == $0 + authority.lowercased() }
    }

    /// Without the port.
    private static func host(of authority: String) -> String? {
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]") : authority.startIndex
        guard let end else { return nil }
        let colon = authority[end...].firstIndex(of: ":")
        let port = colon.map { authority[authority.index(after: $0)...] } ?? "0"
        guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let host = authority[..<(colon ?? authority.endIndex)]
        guard host.hasPrefix("[") else { return String(host) }
        return host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : nil
    }

    private static func usual(_ host: String) -> String {
        let host = host.hasSuffix(".") ? String(host.dropLast()) : host
        return address(host) ?? host.lowercased()
    }

    /// `nil`: it is none.
    private static func address(_ host: String) -> String? {
        (try? SocketAddress(ipAddress: host, port: 0))?.ipAddress
    }
}
