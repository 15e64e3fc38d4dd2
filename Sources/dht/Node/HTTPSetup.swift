import DHTCrypto
import DHTGateway
import SecureDHT

/// The settings of a node's HTTP port, checked and read.
struct HTTPSetup {
    let address: HostPort
    let names: [String]
    let token: AccessToken?

    /// `nil`: there is to be none.
    init?(_ options: HTTPOptions, environment: [String: String]) throws(Failure) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let file = options.httpToken ?? variable("DHT_HTTP_TOKEN")
        guard let text = options.http ?? variable("DHT_HTTP") else {
            guard options.httpToken == nil, options.httpHost.isEmpty else {
                throw Failure(.configuration, "--http-token and --http-host need --http HOST:PORT")
            }
            return nil
        }
        guard let address = HostPort(text) else {
            throw Failure(
                .invalidArgument,
                "--http: \"\(text)\" is no HOST:PORT; an IPv6 address stands in brackets, [::1]:8080"
            )
        }
        self.address = address
        names =
            options.httpHost.isEmpty
            ? variable("DHT_HTTP_HOST")?.split(separator: ",").map { String($0) } ?? [] : options.httpHost
        do throws(KeyFileError) {
            token = try file.map { (path) throws(KeyFileError) in
                try AccessToken(file: path, credentialsDirectory: environment["CREDENTIALS_DIRECTORY"])
            }
        } catch { throw Failure(DHTError(reading: error)) }
    }
}
