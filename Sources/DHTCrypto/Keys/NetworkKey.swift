import CSodium
import DHTCore

/// Names an overlay without telling its key: 16 bytes.
package struct NetworkID: Hashable, Sendable {
    package let bytes: [UInt8]

    /// The network of worlds in which nothing is sealed.
    package static let standIn = NetworkID(bytes: [UInt8](repeating: 0, count: 16))
}

/// The 32 bytes that isolate an overlay.
package struct NetworkKey: ~Copyable, Sendable {
    package static let byteCount = 32
    private static let idContext = Array("dht1 network".utf8)
    private static let headerContext = Array("dht1 header".utf8)

    package let id: NetworkID
    private let secret: SecretBytes

    /// A fresh key.
    package init() { self.init(bytes: SecretBytes(randomCount: Self.byteCount)) }

    package init(bytes: consuming SecretBytes) {
        precondition(bytes.count == Self.byteCount, "a network key has 32 bytes, not \(bytes.count)")
        var id = [UInt8](repeating: 0, count: 16)
        let context = Self.idContext
        mustSucceed(
            unsafe dht_blake2b(&id, id.count, context, context.count, bytes.pointer, Self.byteCount),
            "crypto_generichash_blake2b"
        )
        self.id = NetworkID(bytes: id)
        secret = bytes
    }

    /// The key that masks headers for one recipient.
    package borrowing func headerKey(for recipient: Identity) -> HeaderKey {
        var message = Self.headerContext
        recipient.append(to: &message)
        return HeaderKey(of: message, under: secret)
    }

    /// Lends the 32 bytes, for writing them to a file.
    package borrowing func withBytes<Result>(
        _ body: (borrowing SecretBytes) throws -> Result
    ) rethrows -> Result {
        try body(secret)
    }

    /// A second owner's key.
    package borrowing func copy() -> NetworkKey { NetworkKey(bytes: secret.copy()) }
}

/// Masks the headers of datagrams for one recipient.
///
/// One is made for each datagram sent, so it lives in 32 bytes of ordinary heap, wiped at the end:
/// `sodium_malloc` would cost ten times the mask, and words held inline leave copies behind wherever they are
/// moved.
@safe package struct HeaderKey: ~Copyable, @unchecked Sendable {
    private let key: UnsafeMutablePointer<UInt8>

    fileprivate init(of message: [UInt8], under secret: borrowing SecretBytes) {
        let key = UnsafeMutablePointer<UInt8>.allocate(capacity: DHT_SECRETBOX_KEY_BYTES)
        mustSucceed(
            unsafe dht_blake2b(
                key,
                DHT_SECRETBOX_KEY_BYTES,
                message,
                message.count,
                secret.pointer,
                secret.count
            ),
            "crypto_generichash_blake2b"
        )
        unsafe self.key = key
    }

    deinit {
        unsafe sodium_memzero(key, DHT_SECRETBOX_KEY_BYTES)
        unsafe key.deallocate()
    }

    /// Appends tag ‖ ciphertext to the nonce, which is all there is of the datagram.
    package borrowing func seal(_ header: some Collection<UInt8>, appendingTo nonce: inout [UInt8]) {
        precondition(nonce.count == DHT_NONCE_BYTES, "a nonce has 24 bytes, not \(nonce.count)")
        nonce.append(contentsOf: repeatElement(0, count: DHT_TAG_BYTES))
        nonce.append(contentsOf: header)
        let count = header.count
        let result = unsafe nonce.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return Int32(-1) }
            let sealed = unsafe base + DHT_NONCE_BYTES
            // libsodium encrypts in place.
            return unsafe dht_secretbox_seal(sealed, sealed + DHT_TAG_BYTES, count, base, key)
        }
        mustSucceed(result, "crypto_secretbox_easy")
    }

    /// The header; `nil` if it was not sealed with this key and nonce.
    package borrowing func open(_ sealed: ArraySlice<UInt8>, nonce: ArraySlice<UInt8>) -> [UInt8]? {
        guard sealed.count >= DHT_TAG_BYTES else { return nil }
        var header = [UInt8](repeating: 0, count: sealed.count - DHT_TAG_BYTES)
        let datagram = checked(nonce) + sealed
        let isOurs = unsafe header.withUnsafeMutableBytes { bytes in
            unsafe open(in: datagram, nonce.count..<datagram.count, nonce: 0..<nonce.count, into: bytes)
        }
        return isOurs ? header : nil
    }

    /// Opens the header in a datagram into `header`; `false` if it was not sealed with this key and nonce.
    ///
    /// All datagrams that arrive come this way, so nothing is copied or allocated.
    package borrowing func open(
        in datagram: [UInt8],
        _ sealed: Range<Int>,
        nonce: Range<Int>,
        into header: UnsafeMutableRawBufferPointer
    ) -> Bool {
        precondition(sealed.count == header.count + DHT_TAG_BYTES && nonce.count == DHT_NONCE_BYTES)
        precondition(max(sealed.upperBound, nonce.upperBound) <= datagram.count, "the datagram is too short")
        let result = unsafe datagram.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return Int32(-1) }
            return unsafe dht_secretbox_open(
                header.bindMemory(to: UInt8.self).baseAddress,
                base + sealed.lowerBound,
                sealed.count,
                base + nonce.lowerBound,
                key
            )
        }
        return result == 0
    }

    /// The 32 bytes: for comparing with vectors.
    borrowing func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try unsafe body(UnsafeRawBufferPointer(start: key, count: DHT_SECRETBOX_KEY_BYTES))
    }
}

/// A nonce of the right length, as libsodium reads without asking.
private func checked(_ nonce: ArraySlice<UInt8>) -> [UInt8] {
    precondition(nonce.count == DHT_NONCE_BYTES, "a nonce has 24 bytes, not \(nonce.count)")
    return Array(nonce)
}
