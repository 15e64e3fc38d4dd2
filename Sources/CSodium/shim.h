/* The C-module shim over libsodium: what Swift cannot import by itself, and nothing else. */
#ifndef DHT_CSODIUM_SHIM_H
#define DHT_CSODIUM_SHIM_H

#if !__has_include(<sodium.h>)
#error "libsodium is missing. Install it: apt-get install libsodium-dev (Debian), brew install libsodium (macOS)"
#endif

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes as Swift's Int: plain macros would come over as UInt32, composite ones not at all. */
enum {
    DHT_SEED_BYTES = crypto_sign_SEEDBYTES,
    DHT_SIGN_PUBLIC_BYTES = crypto_sign_PUBLICKEYBYTES,
    DHT_SIGN_SECRET_BYTES = crypto_sign_SECRETKEYBYTES,
    DHT_SIGNATURE_BYTES = crypto_sign_BYTES,
    DHT_BOX_PUBLIC_BYTES = crypto_box_PUBLICKEYBYTES,
    DHT_BOX_SECRET_BYTES = crypto_box_SECRETKEYBYTES,
    DHT_SHARED_KEY_BYTES = crypto_box_BEFORENMBYTES,
    DHT_NONCE_BYTES = crypto_box_NONCEBYTES,
    DHT_TAG_BYTES = crypto_box_MACBYTES,
    DHT_SECRETBOX_KEY_BYTES = crypto_secretbox_KEYBYTES,
    DHT_PWHASH_SALT_BYTES = crypto_pwhash_SALTBYTES,
    DHT_PWHASH_ARGON2ID13 = crypto_pwhash_ALG_ARGON2ID13,
};

/* BLAKE2b with 1 to 64 bytes of output. Unlike crypto_generichash this one promises to take fewer than 16. */
static inline int dht_blake2b(uint8_t *out, size_t out_length, const uint8_t *message, size_t message_length,
                              const uint8_t *key, size_t key_length) {
    return crypto_generichash_blake2b(out, out_length, message, (unsigned long long)message_length, key, key_length);
}

static inline int dht_sha256(uint8_t digest[crypto_hash_sha256_BYTES], const uint8_t *message, size_t length) {
    return crypto_hash_sha256(digest, message, (unsigned long long)length);
}

static inline int dht_sign(uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *secret) {
    return crypto_sign_detached(signature, NULL, message, (unsigned long long)length, secret);
}

static inline int dht_verify(const uint8_t *signature, const uint8_t *message, size_t length, const uint8_t *key) {
    return crypto_sign_verify_detached(signature, message, (unsigned long long)length, key);
}

static inline int dht_box_seal(uint8_t *out, const uint8_t *message, size_t length, const uint8_t *nonce,
                               const uint8_t *shared) {
    return crypto_box_easy_afternm(out, message, (unsigned long long)length, nonce, shared);
}

static inline int dht_box_open(uint8_t *out, const uint8_t *box, size_t length, const uint8_t *nonce,
                               const uint8_t *shared) {
    return crypto_box_open_easy_afternm(out, box, (unsigned long long)length, nonce, shared);
}

static inline int dht_secretbox_seal(uint8_t *out, const uint8_t *message, size_t length, const uint8_t *nonce,
                                     const uint8_t *key) {
    return crypto_secretbox_easy(out, message, (unsigned long long)length, nonce, key);
}

static inline int dht_secretbox_open(uint8_t *out, const uint8_t *box, size_t length, const uint8_t *nonce,
                                     const uint8_t *key) {
    return crypto_secretbox_open_easy(out, box, (unsigned long long)length, nonce, key);
}

#endif
