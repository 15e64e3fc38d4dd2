/* What Swift is not told of its own program by whoever builds it, and does not see of it in memory. */
#ifndef DHT_CBUILD_H
#define DHT_CBUILD_H

/* The commit, abbreviated; empty if whoever built the program did not say. */
extern const char *const dht_build_commit;

/* Lets go of the program's own pages that cannot be written: code and constants. They stay in the system's cache
   of files, and each that is used again comes back from there. Breakpoints that a debugger set are lost. */
void dht_program_let_go(void);

#endif
