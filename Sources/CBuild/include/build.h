/* What the build knows of itself: Swift has no way to be told a text by whoever builds it. */
#ifndef DHT_CBUILD_H
#define DHT_CBUILD_H

/* The commit, abbreviated; empty if whoever built the program did not say. */
extern const char *const dht_build_commit;

#endif
