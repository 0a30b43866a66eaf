/* file.h - a model's files, read: regular ones only, never waiting, never outside their folder. */
#ifndef LIB_MODEL_FILE_H
#define LIB_MODEL_FILE_H

#include <stddef.h>
#include <stdint.h>

#define FILE_BYTES_MAX ((size_t)1 << 31) /* of a model: protobuf's own limit */

/* One that is open.  A file that is not: fd -1. */
struct file {
    int fd;
    uint64_t n_bytes;
};

/* Opens a regular file; a FIFO or a device is not waited for.  NULL, or why not. */
const char *file_open(const char *path, struct file *ret_file);

/* Opens the file that a model in `folder` calls `location`, a relative path.  What leaves the
 * folder, be it by "..", or by a symbolic link, is not opened.  NULL, or why not. */
const char *file_open_beside(const char *folder, const char *location, struct file *ret_file);

/* n_bytes from `offset` on, which the file must have.  NULL, or why not. */
const char *file_read(const struct file *file, uint64_t offset, void *ret_bytes, size_t n_bytes);

void file_close(struct file *file); /* one that is not open is fine */

#endif
