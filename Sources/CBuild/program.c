#define _GNU_SOURCE
#include "build.h"

#ifdef __linux__

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

static int let_go(struct dl_phdr_info *program, size_t size, void *context) {
    (void)size, (void)context;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int index = 0; index < program->dlpi_phnum; index++) {
        const ElfW(Phdr) *part = &program->dlpi_phdr[index];
        if (part->p_type != PT_LOAD || part->p_flags & PF_W) continue;
        /* Whole pages: those at the ends may be of a part that can be written. */
        size_t address = program->dlpi_addr + part->p_vaddr;
        size_t start = (address + page - 1) / page * page, end = (address + part->p_memsz) / page * page;
        if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
    }
    /* The first is the program; shared libraries follow. */
    return 1;
}

void dht_program_let_go(void) { dl_iterate_phdr(let_go, NULL); }

#else

void dht_program_let_go(void) {}

#endif
