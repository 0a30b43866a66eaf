/* folder.h - the journal's directory: names of files, whole files read and written, faults said.
 *
 *     DIR/0000000000000000.seg  DIR/0000000000004000.snap  DIR/89abcdef01234567.onnx
 *     DIR/76543210fedcba98.detector
 */
#ifndef LIB_JOURNAL_FOLDER_H
#define LIB_JOURNAL_FOLDER_H

#include "lib/celltap_journal.h"

#define FOLDER_PATH_MAX 4096 /* bytes */

#define FOLDER_SEGMENT  "seg"
#define FOLDER_SNAPSHOT "snap"
#define FOLDER_MODEL    "onnx"
#define FOLDER_DETECTOR "detector"
#define FOLDER_BESIDE   ".new" /* behind the name of a file that is being written */

/* "DIR/0123456789abcdef.KIND".  Returns ret_path [FOLDER_PATH_MAX]. */
char *folder_path(char *ret_path, const char *directory, uint64_t number, const char *kind);

/* Writes the reason and returns code.  number: an errno, negative or not; 0: none. */
int folder_fail(struct celltap_journal_error *reterr, int code, int number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The numbers of all files of a kind, rising.  *ret_numbers is new (alloc_free). */
int folder_list(const struct celltap_files *files, const char *directory, const char *kind,
                uint64_t **ret_numbers, size_t *ret_n, struct celltap_journal_error *reterr);

/* A whole file; *ret_bytes is new (alloc_free).  CELLTAP_EGONE, _EIO, _ENOMEM. */
int folder_read(const struct celltap_files *files, const char *path, unsigned char **ret_bytes,
                size_t *ret_n_bytes, struct celltap_journal_error *reterr);

/* A file that is written beside its place until it is whole.  What fails takes it away again. */
struct folder_file {
    const struct celltap_files *files; /* borrowed */
    int file;                          /* -1: none */
    char path[FOLDER_PATH_MAX], beside[FOLDER_PATH_MAX + sizeof FOLDER_BESIDE];
};
int folder_begin(const struct celltap_files *files, const char *path, struct folder_file *ret_file,
                 struct celltap_journal_error *reterr);
int folder_write(struct folder_file *file, const void *bytes, size_t n_bytes, uint64_t at,
                 struct celltap_journal_error *reterr);
int folder_sync(struct folder_file *file, struct celltap_journal_error *reterr);
/* Syncs it, renames it to its place, syncs the directory. */
int folder_finish(struct folder_file *file, const char *directory,
                  struct celltap_journal_error *reterr);
void folder_drop(struct folder_file *file); /* also one that is finished */

/* All of that at once. */
int folder_store(const struct celltap_files *files, const char *directory, const char *path,
                 const void *bytes, size_t n_bytes, struct celltap_journal_error *reterr);

/* The same for a file that is named by its hash; nothing to do if it is there. */
int folder_keep(const struct celltap_files *files, const char *directory, uint64_t hash,
                const char *kind, const void *bytes, size_t n_bytes,
                struct celltap_journal_error *reterr);

#endif
