import DHTGateway
import SecureDHT

extension HostPort {
    /// The address to listen on that somebody gave; `refusal` makes the failure of what is wrong with it.
    init(toListenOn text: String, refusal: (_ reason: String) -> Failure) throws(Failure) {
        guard let address = HostPort(text) else {
            throw refusal("\"\(text)\" is no HOST:PORT; an IPv6 address stands in brackets, [::1]:4100")
        }
        do { try address.checkIsNotLinkLocal() } catch { throw refusal(error.reason) }
        self = address
    }
}
