import DHTCrypto
import FoundationEssentials

/// The page that shows a ``DashboardReply`` to people: one document that needs nothing else and changes
/// nothing.
package enum DashboardPage {
    /// HTML in UTF-8.
    package static let bytes: [UInt8] = PackageResources.page_html

    /// The header `Content-Security-Policy` of the page: it may run its own script, have its own style, and
    /// speak to the node it came from. Text that a peer smuggles in does none of it.
    package static let contentSecurityPolicy: String = {
        let style = source(of: "style")
        let script = source(of: "script")
        return "default-src 'none'; style-src \(style); script-src \(script); connect-src 'self'; "
            + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }()

    /// The hash of the one element of that name, as a policy names it.
    private static func source(of element: String) -> String {
        let digest = sha256(content(of: element))
        return "'sha256-\(Data(digest).base64EncodedString())'"
    }

    /// The bytes between the one `<element>` and its end.
    private static func content(of element: String) -> ArraySlice<UInt8> {
        guard let start = bytes.firstRange(of: Array("<\(element)>".utf8)),
            let end = bytes[start.upperBound...].firstRange(of: Array("</\(element)>".utf8))
        else { preconditionFailure("the page has no element \(element)") }
        return bytes[start.upperBound..<end.lowerBound]
    }
}
