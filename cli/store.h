/* store.h - a directory of files that appear all together, or not at all.
 *
 *     DIR/.celltap-XXXXXX/0 1 2 ...   --store_commit-->   DIR/<folder>/<name>
 *
 * Files are written through buffers of a fixed size and are opened only while a buffer is emptied:
 * any number of files takes one descriptor and a bounded amount of memory. */
#ifndef CLI_STORE_H
#define CLI_STORE_H

#include <stddef.h>
#include <stdint.h>

#define STORE_ERROR_MAX 1024 /* bytes */

struct store;

/* Makes the directory, with those above it, where it is not there.  n_files bounds what can be
 * added.  0, or -1 with the reason in ret_error [STORE_ERROR_MAX]. */
int store_open(const char *directory, size_t n_files, struct store **ret_store, char *ret_error);

/* Takes away all that was not committed, the directories that store_open made too.  NULL is fine.
 */
void store_close(struct store *store);

/* Adds a file; what in the names cannot be part of a path becomes _, and a name that is taken gets
 * a number.  folder "": directly in the directory.  Files are numbered from 0 in this order. */
int store_add(struct store *store, const char *folder, const char *name, const char *suffix,
              char *ret_error);

int store_write(struct store *store, size_t file_ix, const void *bytes, size_t n_bytes,
                char *ret_error);

/* Empties all buffers; afterwards the beginning of a file can be written again. */
int store_flush(struct store *store, char *ret_error);
int store_patch(struct store *store, size_t file_ix, const void *bytes, size_t n_bytes,
                char *ret_error);

/* Gives all files their names, over what is there.  They are complete then. */
int store_commit(struct store *store, char *ret_error);

#endif
