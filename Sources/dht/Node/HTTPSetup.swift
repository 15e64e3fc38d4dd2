import DHTConfiguration
import DHTCrypto
import DHTGateway
import SecureDHT

/// The settings of a node's HTTP port, checked and read.
struct HTTPSetup {
    let address: HostPort
    let names: [String]
    let token: AccessToken?

    /// `nil`: there is to be none.
    init?(_ settings: NodeSettings, environment: [String: String]) throws(Failure) {
        guard let text = settings.text(.http) else {
            // A variable may stand there for many nodes.
            for setting in [Setting.httpToken, .httpHost]
            where settings.isGiven(setting) && settings.origin(setting) != .variable {
                throw Failure(
                    .configuration,
                    "\(settings.word(for: setting)) needs \(Setting.http.flag) HOST:PORT"
                )
            }
            return nil
        }
        guard let address = HostPort(text) else {
            throw settings.failure(
                .http,
                "\"\(text)\" is no HOST:PORT; an IPv6 address stands in brackets, [::1]:8080"
            )
        }
        self.address = address
        names = settings.texts(.httpHost)
        do throws(KeyFileError) {
            token = try settings.text(.httpToken).map { (path) throws(KeyFileError) in
                try AccessToken(file: path, credentialsDirectory: environment["CREDENTIALS_DIRECTORY"])
            }
        } catch { throw Failure(DHTError(reading: error)) }
    }
}
