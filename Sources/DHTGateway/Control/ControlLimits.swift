import Glibc
import NIOCore

/// Bounds on what the users of a control socket hold at once, and for how long: else a few who begin and
/// never finish would fill the node's memory.
package struct ControlLimits: Sendable {
    /// Open connections; further ones wait until one closes.
    package var connections = 128
    /// Of long values that are being put, in all. Others wait.
    package var putBytes = 48 << 20
    /// Of long values that are being written as JSON, in all. Others wait: for slow clients perhaps, so that
    /// no put waits with them.
    package var textBytes = 32 << 20
    /// How long they wait before they are told that the node is busy.
    package var roomPatience = TimeAmount.seconds(20)
    /// A connection on which no request is being answered, and nothing comes, is closed after this time.
    package var idleTime = TimeAmount.seconds(60)
    /// A body of which nothing comes for this time, or an answer of which less than 8,064 bytes are taken,
    /// never gets on: the kernel tells of no fewer.
    package var stallTime = TimeAmount.seconds(30)
    /// Where bodies wait until they are whole, in files without a name.
    package var spoolDirectory = ControlLimits.temporaryDirectory

    package init() {}

    private static var temporaryDirectory: String {
        guard let path = unsafe getenv("TMPDIR") else { return "/tmp" }
        return unsafe String(cString: path)
    }
}
