/* The program in memory: Swift does not see the headers of its parts. */
#ifndef DHT_CBUILD_PROGRAM_H
#define DHT_CBUILD_PROGRAM_H

/* Lets go of the program's own pages that cannot be written: code and constants. They stay in the system's cache
   of files, and each that is used again comes back from there. Breakpoints that a debugger set are lost. */
void dht_program_let_go(void);

#endif
