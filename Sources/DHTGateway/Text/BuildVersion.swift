import CBuild
import SecureDHT

/// The version of this program, as `dht --version` and `status` tell it.
package enum BuildVersion {
    /// `0.1.0+1a2b3c4d5e6f` (semver.org, item 10): the version, and the commit that was built if it is known.
    package static let text: String = {
        let commit = unsafe String(cString: dht_build_commit)
        return commit.isEmpty ? DHTNode.version : "\(DHTNode.version)+\(commit)"
    }()
}
