/* Preloaded into a node: its disk is full, or fails, for as long as a file says so.
 *
 * DISK_BELOW     the directory whose files fail; an absolute path without symbolic links
 * DISK_TRIGGER   a file; while it is there, calls that write or flush fail as it says:
 *                the number of an error, and how many calls in a hundred
 *
 * A write may come half before it fails, as on a real disk. On a full one flushing and cutting off still work;
 * reading always does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* The error with which a call on this descriptor fails now; 0: it does not. */
static int failure(int fd) {
    const char *below = getenv("DISK_BELOW"), *trigger = getenv("DISK_TRIGGER");
    if (!below || !trigger || syscall(SYS_access, trigger, F_OK) != 0) return 0;
    char name[64], path[4096], text[32] = "";
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    size_t prefix = strlen(below);
    if (length < (ssize_t)prefix || strncmp(path, below, prefix) != 0) return 0;
    int file = syscall(SYS_openat, AT_FDCWD, trigger, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t count = syscall(SYS_read, file, text, sizeof text - 1);
    close(file);
    int number = 0, share = 100;
    if (count <= 0 || sscanf(text, "%d %d", &number, &share) < 1) return 0;
    return rand() % 100 < share ? number : 0;
}

/* How much of a write succeeds although the disk fails: none or half. */
static size_t half(size_t count) { return rand() % 2 ? 0 : count / 2; }

/* The same for calls that need no room. */
static int fault(int fd) {
    int number = failure(fd);
    return number == ENOSPC ? 0 : number;
}

#define REFUSE(number, otherwise) \
    int number_ = number; \
    if (number_) { errno = number_; return -1; } \
    return otherwise

#define CURTAIL(fd, count) \
    int number = failure(fd); \
    if (number && !(count = half(count))) { errno = number; return -1; }

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    REAL(pwrite);
    CURTAIL(fd, count)
    return real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64);
    CURTAIL(fd, count)
    return real(fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    CURTAIL(fd, count)
    return real(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    REFUSE(failure(fd), real(fd, parts, count));
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
    REAL(fallocate);
    REFUSE(failure(fd), real(fd, mode, offset, length));
}

int fsync(int fd) {
    REAL(fsync);
    REFUSE(fault(fd), real(fd));
}

int fdatasync(int fd) {
    REAL(fdatasync);
    REFUSE(fault(fd), real(fd));
}

int ftruncate(int fd, off_t length) {
    REAL(ftruncate);
    REFUSE(fault(fd), real(fd, length));
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    REFUSE(fault(fd), real(fd, length));
}
