/* serving_file.h - a file read whole, once. */
#ifndef DAEMON_SERVING_FILE_H
#define DAEMON_SERVING_FILE_H

#include <stddef.h>

/* -1 with errno: it cannot be read, or is no regular file of at most 2 GiB.  *ret_bytes: free(). */
int serving_file_read(const char *path, unsigned char **ret_bytes, size_t *ret_n_bytes);

#endif
