import CSodium

/// Many shared keys in one locked region: a page of locked memory for each would soon exhaust what a process
/// may have.
///
/// Slots are numbered from 0. One that was never derived into is zeros; using it is the caller's mistake.
@safe package struct SharedKeySlab: ~Copyable, @unchecked Sendable {
    private static let keyLength = DHT_SHARED_KEY_BYTES

    package let capacity: Int
    private let memory: UnsafeMutablePointer<UInt8>

    package init(capacity: Int) {
        Sodium.initialize()
        let count = capacity * Self.keyLength
        guard let raw = unsafe sodium_malloc(count) else {
            preconditionFailure("no locked memory left for \(capacity) shared keys; see ulimit -l")
        }
        self.capacity = capacity
        unsafe memory = raw.bindMemory(to: UInt8.self, capacity: count)
        unsafe sodium_memzero(raw, count)
    }

    deinit { unsafe sodium_free(memory) }

    /// Derives the key of `secret` and `peer` into `slot`; false, and the slot is wiped, if libsodium refuses
    /// the peer's: one of small order would give a shared key that everybody knows.
    package mutating func derive(_ slot: Int, from secret: borrowing BoxKey, and peer: BoxPublicKey) -> Bool {
        if unsafe secret.derive(into: key(slot), with: peer) { return true }
        wipe(slot)
        return false
    }

    /// Appends tag ‖ ciphertext to what there is of a datagram, which is bound into the box: the box opens
    /// behind these very bytes alone. They must differ from box to box, by a random nonce among them.
    package borrowing func seal(_ slot: Int, _ plaintext: [UInt8], appendingTo datagram: inout [UInt8]) {
        let start = datagram.count
        datagram.append(contentsOf: repeatElement(0, count: DHT_TAG_BYTES))
        datagram.append(contentsOf: plaintext)
        seal(slot, in: &datagram, from: start)
    }

    /// Boxes the end of a datagram where it stands: room for the tag, at `start`, and the plaintext. All
    /// before it is bound into the box, as above.
    package borrowing func seal(_ slot: Int, in datagram: inout [UInt8], from start: Int) {
        let count = datagram.count - start - DHT_TAG_BYTES
        precondition(start >= 0 && count >= 0, "there is no room for a tag")
        let key = unsafe key(slot)
        let result = unsafe datagram.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return Int32(-1) }
            let before = unsafe UnsafeBufferPointer(start: base, count: start)
            return unsafe withBoxNonce(of: before) { nonce in
                // libsodium encrypts in place.
                unsafe dht_box_seal(base + start, base + start + DHT_TAG_BYTES, count, nonce, key)
            }
        }
        mustSucceed(result, "crypto_box_easy_afternm")
    }

    /// Lends the plaintext of the box at the end of a datagram; `false` if the box was not made with this
    /// key, behind the bytes that stand before it.
    ///
    /// Nothing is allocated for it.
    package borrowing func open(
        _ slot: Int,
        in datagram: [UInt8],
        from start: Int,
        _ body: (UnsafeBufferPointer<UInt8>) -> Void
    ) -> Bool {
        let length = datagram.count - start - DHT_TAG_BYTES
        guard length >= 0 else { return false }
        let key = unsafe key(slot)
        return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: length) { plaintext in
            let result = unsafe datagram.withUnsafeBufferPointer { bytes in
                guard let base = bytes.baseAddress else { return Int32(-1) }
                let before = unsafe UnsafeBufferPointer(rebasing: bytes[..<start])
                return unsafe withBoxNonce(of: before) { nonce in
                    unsafe dht_box_open(plaintext.baseAddress, base + start, bytes.count - start, nonce, key)
                }
            }
            guard result == 0 else { return false }
            unsafe body(UnsafeBufferPointer(plaintext))
            return true
        }
    }

    package mutating func wipe(_ slot: Int) { unsafe sodium_memzero(key(slot), Self.keyLength) }

    private func key(_ slot: Int) -> UnsafeMutablePointer<UInt8> {
        precondition((0..<capacity).contains(slot), "slot \(slot) of \(capacity)")
        return unsafe memory + slot * Self.keyLength
    }
}

/// Lends the nonce of a box behind `bytes`: their BLAKE2b-192.
private func withBoxNonce(
    of bytes: UnsafeBufferPointer<UInt8>,
    _ body: (UnsafePointer<UInt8>) -> Int32
) -> Int32 {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: DHT_NONCE_BYTES) { nonce in
        guard let place = nonce.baseAddress else { return -1 }
        mustSucceed(
            unsafe dht_blake2b(place, nonce.count, bytes.baseAddress, bytes.count, nil, 0),
            "crypto_generichash_blake2b"
        )
        return unsafe body(place)
    }
}
