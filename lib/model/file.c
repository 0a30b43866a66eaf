/* file.c - opens and reads a model's files.
 *
 * The path that a model gives for its data is somebody else's text: it is resolved as the kernel
 * will resolve it, links included, and compared with the model's own folder before it is opened. */
#include "lib/model/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *file_open(const char *path, struct file *ret_file)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return "not a regular file";
    }
    *ret_file = (struct file){.fd = fd, .n_bytes = (uint64_t)status.st_size};
    return NULL;
}

static bool file_climbs(const char *location)
{
    for (const char *part = location; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return true;
    }
    return false;
}

static bool file_is_under(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    n -= n > 0 && folder[n - 1] == '/'; /* the root */
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

const char *file_open_beside(const char *folder, const char *location, struct file *ret_file)
{
    char joined[PATH_MAX], path[PATH_MAX], root[PATH_MAX];
    if (*location == '\0')
        return "it has no name";
    if (*location == '/' || file_climbs(location))
        return "it is outside the model's folder";
    if (snprintf(joined, sizeof joined, "%s/%s", folder, location) >= (int)sizeof joined)
        return strerror(ENAMETOOLONG);
    if (realpath(joined, path) == NULL || realpath(folder, root) == NULL)
        return strerror(errno);
    if (!file_is_under(path, root))
        return "it is a link to outside the model's folder";
    return file_open(path, ret_file);
}

const char *file_read(const struct file *file, uint64_t offset, void *ret_bytes, size_t n_bytes)
{
    for (size_t n = 0; n < n_bytes;) {
        ssize_t got = pread(file->fd, (char *)ret_bytes + n, n_bytes - n, (off_t)(offset + n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return strerror(errno);
        if (got == 0)
            return "it became shorter while it was read";
        n += (size_t)got;
    }
    return NULL;
}

void file_close(struct file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}
