/* disk_fault.c - stands before the C library's pwrite and fdatasync: a disk that fails on demand.
 *
 *     $DISK_FAULT   a file of lines "write 28 .seg" or "sync 5 .snap": call, errno, which files;
 *                   "hold 1 .snap": a write lasts as long as it says so; empty or absent: all is well
 *     $DISK_SYNC    a file: made when a sync begins, which then lasts 0.3 s
 *
 * Loaded with LD_PRELOAD by a test. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t pwrite64(int fd, const void *bytes, size_t n_bytes, off64_t at);

/* 0, or what a line says of this call and this file. */
static int said(const char *path, const char *call)
{
    char what[16], of[16];
    int number, found = 0;
    FILE *file = getenv("DISK_FAULT") != NULL ? fopen(getenv("DISK_FAULT"), "re") : NULL;
    while (file != NULL && fscanf(file, "%15s %d %15s", what, &number, of) == 3)
        if (strcmp(what, call) == 0 && strstr(path, of) != NULL)
            found = number;
    if (file != NULL)
        fclose(file);
    return found;
}

/* 0, or the errno with which this call is to fail. */
static int fault(int fd, const char *call)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return 0;
    path[n] = '\0';
    while (strcmp(call, "write") == 0 && said(path, "hold") != 0)
        usleep(1000);
    return said(path, call);
}

ssize_t pwrite(int fd, const void *bytes, size_t n_bytes, off_t at)
{
    ssize_t (*next)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    int number = fault(fd, "write");
    if (number == 0)
        return next(fd, bytes, n_bytes, at);
    errno = number;
    return -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t n_bytes, off64_t at)
{
    return pwrite(fd, bytes, n_bytes, at);
}

int fdatasync(int fd)
{
    int (*next)(int) = dlsym(RTLD_NEXT, "fdatasync");
    int number = fault(fd, "sync");
    FILE *begun = getenv("DISK_SYNC") != NULL ? fopen(getenv("DISK_SYNC"), "we") : NULL;
    if (begun != NULL) {
        fclose(begun);
        usleep(300000);
    }
    if (number == 0)
        return next(fd);
    errno = number;
    return -1;
}
