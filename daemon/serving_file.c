/* serving_file.c - a file read whole, once. */
#include "daemon/serving_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)2 << 30) /* protobuf's own limit */

/* Fills bytes from the file; returns how many there were, or -1 with errno. */
static ssize_t file_fill(int fd, unsigned char *bytes, size_t n_bytes)
{
    size_t n = 0;
    while (n < n_bytes) {
        ssize_t got = read(fd, bytes + n, n_bytes - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

int serving_file_read(const char *path, unsigned char **ret_bytes, size_t *ret_n_bytes)
{
    struct stat status;
    unsigned char *bytes = NULL;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) != 0)
        goto done;
    if (!S_ISREG(status.st_mode) || (size_t)status.st_size > FILE_BYTES_MAX) {
        errno = S_ISREG(status.st_mode) ? EFBIG : EINVAL;
        goto done;
    }
    bytes = malloc((size_t)status.st_size + 1);
    if (bytes != NULL)
        n = file_fill(fd, bytes, (size_t)status.st_size);
done:
    close(fd);
    if (n < 0) {
        free(bytes);
        return -1;
    }
    *ret_bytes = bytes;
    *ret_n_bytes = (size_t)n;
    return 0;
}
