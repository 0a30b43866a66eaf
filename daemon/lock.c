/* lock.c - one daemon per runtime_dir: a lock file with the holder's pid in it.
 *
 * The kernel drops the lock with the process, however it ends; the file stays, for removing it
 * would let two daemons lock two files of the same name. */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

static int lock_refused(int fd, const char *runtime_dir)
{
    char holder[32] = "";
    ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);
    long pid = n > 0 ? strtol(holder, NULL, 10) : 0;
    log_line(LOG_LEVEL_ERR,
             "another celltapd (pid %ld) runs in %s; stop it, or give this one a runtime_dir of "
             "its own",
             pid, runtime_dir);
    close(fd);
    return -1;
}

int lock_take(const char *runtime_dir)
{
    char path[PATH_MAX];
    if (mkdir(runtime_dir, 0755) != 0 && errno != EEXIST) {
        log_line(LOG_LEVEL_ERR, "cannot make runtime_dir %s: %s", runtime_dir, strerror(errno));
        return -1;
    }
    snprintf(path, sizeof(path), "%s/celltapd.lock", runtime_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        log_line(LOG_LEVEL_ERR, "cannot open %s: %s", path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return lock_refused(fd, runtime_dir);
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
        log_line(LOG_LEVEL_WARNING, "cannot write %s: %s; going on", path, strerror(errno));
    return fd;
}

void lock_put(int fd)
{
    if (fd >= 0)
        close(fd);
}
