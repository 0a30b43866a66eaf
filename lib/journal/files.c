/* files.c - the journal's files as POSIX has them.
 *
 * Each call is one or two system calls; errors come back as negative errno.  Keeps nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/celltap_journal.h"

static int files_open(void *arg, const char *path, bool anew)
{
    (void)arg;
    int file = anew ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640)
                    : open(path, O_RDONLY | O_CLOEXEC);
    return file >= 0 ? file : -errno;
}

static void files_close(void *arg, int file)
{
    (void)arg;
    close(file);
}

static int64_t files_size(void *arg, int file)
{
    struct stat status;
    (void)arg;
    return fstat(file, &status) == 0 ? (int64_t)status.st_size : -errno;
}

static int64_t files_read(void *arg, int file, void *ret_bytes, size_t n_bytes, uint64_t at)
{
    size_t n = 0;
    (void)arg;
    while (n < n_bytes) {
        ssize_t got = pread(file, (char *)ret_bytes + n, n_bytes - n, (off_t)(at + n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (int64_t)n;
}

static int files_write(void *arg, int file, const void *bytes, size_t n_bytes, uint64_t at)
{
    size_t n = 0;
    (void)arg;
    while (n < n_bytes) {
        ssize_t put = pwrite(file, (const char *)bytes + n, n_bytes - n, (off_t)(at + n));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -ENOSPC;
        n += (size_t)put;
    }
    return 0;
}

static int files_sync(void *arg, int file)
{
    (void)arg;
    return fdatasync(file) == 0 ? 0 : -errno;
}

static int files_cut(void *arg, const char *path, uint64_t n_bytes)
{
    int code = 0;
    (void)arg;
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    if (ftruncate(file, (off_t)n_bytes) != 0 || fsync(file) != 0)
        code = -errno;
    close(file);
    return code;
}

static int files_rename(void *arg, const char *from, const char *to)
{
    (void)arg;
    return rename(from, to) == 0 ? 0 : -errno;
}

static int files_unlink(void *arg, const char *path)
{
    (void)arg;
    return unlink(path) == 0 ? 0 : -errno;
}

static int files_make_dir(void *arg, const char *path)
{
    (void)arg;
    return mkdir(path, 0750) == 0 || errno == EEXIST ? 0 : -errno;
}

static int files_sync_dir(void *arg, const char *path)
{
    int code = 0;
    (void)arg;
    int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    if (fsync(file) != 0 && errno != EINVAL)
        code = -errno;
    close(file);
    return code;
}

static int files_list(void *arg, const char *path, void (*each)(void *each_arg, const char *name),
                      void *each_arg)
{
    struct dirent *entry;
    (void)arg;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -errno;
    while ((entry = readdir(directory)) != NULL)
        each(each_arg, entry->d_name);
    closedir(directory);
    return 0;
}

static int64_t files_age_s(void *arg, const char *path)
{
    struct stat status;
    (void)arg;
    if (stat(path, &status) != 0)
        return -errno;
    int64_t age_s = (int64_t)time(NULL) - (int64_t)status.st_mtime;
    return age_s > 0 ? age_s : 0;
}

const struct celltap_files *celltap_files_posix(void)
{
    static const struct celltap_files posix = {
        .open = files_open,
        .close = files_close,
        .size = files_size,
        .read = files_read,
        .write = files_write,
        .sync = files_sync,
        .cut = files_cut,
        .rename = files_rename,
        .unlink = files_unlink,
        .make_dir = files_make_dir,
        .sync_dir = files_sync_dir,
        .list = files_list,
        .age_s = files_age_s,
    };
    return &posix;
}
