import CDigest
import CSodium
import DHTCore

/// BLAKE2b of 1 to 64 bytes, without a key or with one.
package func blake2b(_ message: [UInt8], count: Int, key: [UInt8] = []) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: count)
    let result = unsafe dht_blake2b(&output, count, message, message.count, key, key.count)
    mustSucceed(result, "crypto_generichash_blake2b")
    return output
}

extension DHTCore.Digest {
    /// BLAKE2b-256.
    package init(blake2bOf message: [UInt8]) {
        let digest: Self? = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { output in
            let result = unsafe dht_blake2b(
                output.baseAddress,
                output.count,
                message,
                message.count,
                nil,
                0
            )
            mustSucceed(result, "crypto_generichash_blake2b")
            return unsafe Self(UnsafeBufferPointer(output))
        }
        guard let digest else { preconditionFailure("a digest has 32 bytes") }
        self = digest
    }
}

/// SHA-1, for places in the key space and nothing else.
package func sha1(_ message: [UInt8]) -> NodeID { sha1(message[...]) }

/// SHA-1, for places in the key space and nothing else.
package func sha1(_ message: ArraySlice<UInt8>) -> NodeID {
    let id: NodeID? = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digest in
        unsafe message.withUnsafeBufferPointer { message in
            unsafe dht_sha1(digest.baseAddress, message.baseAddress, message.count)
        }
        return unsafe NodeID(UnsafeBufferPointer(digest))
    }
    guard let id else { preconditionFailure("SHA-1 has 20 bytes") }
    return id
}

/// SHA-256, for browsers: they name their own script by it, and know no BLAKE2b.
package func sha256(_ message: ArraySlice<UInt8>) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    let result = unsafe message.withUnsafeBufferPointer { message in
        unsafe dht_sha256(&digest, message.baseAddress, message.count)
    }
    mustSucceed(result, "crypto_hash_sha256")
    return digest
}
