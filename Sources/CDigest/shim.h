/* SHA-1 by libmd, the BSDs' message digests. */
#ifndef DHT_CDIGEST_SHIM_H
#define DHT_CDIGEST_SHIM_H

#if !__has_include(<sha1.h>)
#error "libmd is missing. Install it: apt-get install libmd-dev (Debian), brew install libmd (macOS)"
#endif

#include <sys/types.h>
#include <sha1.h>

static inline void dht_sha1(uint8_t digest[SHA1_DIGEST_LENGTH], const uint8_t *message, size_t length) {
    SHA1_CTX context;
    SHA1Init(&context);
    SHA1Update(&context, message, length);
    SHA1Final(digest, &context);
}

#endif
