/* store.c - a directory of files that appear all together, or not at all.
 *
 *     happy path   open -> mkdtemp in DIR -> write ... -> flush -> patch -> commit: mkdir, rename
 *     otherwise    close: unlink what is staged, rmdir the stage and the directories made
 */
#include "cli/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_BUFFERS_BYTES (8 * 1024 * 1024) /* of all buffers together */
#define STORE_BUFFER_MAX    (128 * 1024)
#define STORE_BUFFER_MIN    4096
#define STORE_NAME_MAX      200 /* bytes of a folder or a file, before its number and suffix */

struct store_file {
    char *target;        /* owned: DIR/folder/name */
    size_t folder_bytes; /* of target: its folder */
    char *buffer;        /* owned, [buffer_bytes] */
    size_t used;
    bool is_staged; /* its file is there */
};

struct store {
    char *directory;          /* owned */
    char *stage;              /* owned; NULL: not made */
    size_t made_from;         /* bytes of the uppermost directory made; 0: none */
    struct store_file *files; /* owned, [n_files] */
    size_t n_files, n_files_max;
    size_t buffer_bytes;
    bool is_committed;
};

static int store_fail(const char *path, char *ret_error)
{
    snprintf(ret_error, STORE_ERROR_MAX, "%.512s: %s", path, strerror(errno));
    return -1;
}

/* ---- the directory ------------------------------------------------------------------------- */

/* Makes DIR and what is above it, and remembers what was not there. */
static int store_make(struct store *store, char *ret_error)
{
    char *path = store->directory;
    size_t n_bytes = strlen(path);
    for (size_t i = 1; i <= n_bytes; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        char after = path[i];
        path[i] = '\0';
        int code = mkdir(path, 0777);
        path[i] = after;
        if (code < 0 && errno != EEXIST && errno != EISDIR)
            return store_fail(path, ret_error);
        if (code == 0 && !store->made_from)
            store->made_from = i;
    }
    struct stat about;
    if (stat(path, &about) < 0)
        return store_fail(path, ret_error);
    errno = ENOTDIR;
    return S_ISDIR(about.st_mode) ? 0 : store_fail(path, ret_error);
}

/* Takes away the directories made, from the lowest up, as far as they are empty. */
static void store_unmake(struct store *store)
{
    char *path = store->directory;
    for (size_t i = strlen(path); store->made_from && i >= store->made_from; i--) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        path[i] = '\0';
        if (rmdir(path) < 0 && errno != ENOENT)
            return;
    }
}

int store_open(const char *directory, size_t n_files, struct store **ret_store, char *ret_error)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store || !(store->directory = strdup(directory)) ||
        !(store->files = calloc(n_files + 1, sizeof *store->files))) {
        errno = ENOMEM;
        store_fail(directory, ret_error);
        goto fail;
    }
    store->n_files_max = n_files;
    store->buffer_bytes = STORE_BUFFERS_BYTES / (n_files + 1);
    if (store->buffer_bytes > STORE_BUFFER_MAX)
        store->buffer_bytes = STORE_BUFFER_MAX;
    if (store->buffer_bytes < STORE_BUFFER_MIN)
        store->buffer_bytes = STORE_BUFFER_MIN;
    for (size_t n = strlen(store->directory); n > 1 && store->directory[n - 1] == '/'; n--)
        store->directory[n - 1] = '\0';
    if (store_make(store, ret_error) < 0)
        goto fail;
    if (asprintf(&store->stage, "%s/.celltap-XXXXXX", store->directory) < 0)
        store->stage = NULL;
    if (!store->stage || !mkdtemp(store->stage)) {
        store_fail(directory, ret_error);
        free(store->stage);
        store->stage = NULL;
        goto fail;
    }
    *ret_store = store;
    return 0;
fail:
    store_close(store);
    return -1;
}

/* Where a file is until it is committed; owned by the caller. */
static char *store_staged(const struct store *store, size_t file_ix)
{
    char *path;
    return asprintf(&path, "%s/%zu", store->stage, file_ix) < 0 ? NULL : path;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->n_files; i++) {
        char *path = store->files[i].is_staged ? store_staged(store, i) : NULL;
        if (path)
            unlink(path);
        free(path);
        free(store->files[i].target);
        free(store->files[i].buffer);
    }
    if (store->stage)
        rmdir(store->stage);
    if (!store->is_committed && store->directory)
        store_unmake(store);
    free(store->files);
    free(store->stage);
    free(store->directory);
    free(store);
}

/* ---- files --------------------------------------------------------------------------------- */

/* A name of a layer or a tensor as one part of a path. */
static void store_name(const char *name, char *ret_name)
{
    size_t n = 0;
    for (; n < STORE_NAME_MAX && name[n]; n++) {
        unsigned char byte = (unsigned char)name[n];
        ret_name[n] = byte == '/' || byte < 0x20 || byte == 0x7f ? '_' : name[n];
    }
    ret_name[n] = '\0';
    if (strcmp(ret_name, "") == 0 || strcmp(ret_name, ".") == 0 || strcmp(ret_name, "..") == 0)
        snprintf(ret_name, STORE_NAME_MAX + 1, "_%s", name);
}

static bool store_is_taken(const struct store *store, const char *target)
{
    for (size_t i = 0; i < store->n_files; i++)
        if (strcmp(store->files[i].target, target) == 0)
            return true;
    return false;
}

int store_add(struct store *store, const char *folder, const char *name, const char *suffix,
              char *ret_error)
{
    char folder_part[STORE_NAME_MAX + 4] = "", name_part[STORE_NAME_MAX + 4], number[24] = "";
    struct store_file *file = &store->files[store->n_files];
    if (*folder)
        store_name(folder, folder_part);
    store_name(name, name_part);
    for (unsigned i = 2; !file->target; i++) {
        if (asprintf(&file->target, "%s%s%s/%s%s%s", store->directory, *folder ? "/" : "",
                     folder_part, name_part, number, suffix) < 0) {
            file->target = NULL;
            break;
        }
        if (store_is_taken(store, file->target)) {
            free(file->target);
            file->target = NULL;
            snprintf(number, sizeof number, "_%u", i);
        }
    }
    file->buffer = malloc(store->buffer_bytes);
    if (!file->target || !file->buffer) {
        free(file->target);
        free(file->buffer);
        *file = (struct store_file){0};
        errno = ENOMEM;
        return store_fail(store->directory, ret_error);
    }
    memset(file->buffer, 0, store->buffer_bytes); /* memory is taken now, not row by row */
    file->folder_bytes = strlen(store->directory) + (*folder ? 1 + strlen(folder_part) : 0);
    store->n_files++;
    return 0;
}

static int store_write_fd(int fd, const char *bytes, size_t n_bytes)
{
    while (n_bytes) {
        ssize_t n = write(fd, bytes, n_bytes);
        if (n < 0 && errno != EINTR)
            return -1;
        bytes += n > 0 ? n : 0;
        n_bytes -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Writes bytes to the staged file, at its end or over its beginning. */
static int store_put(struct store *store, size_t file_ix, const void *bytes, size_t n_bytes,
                     bool at_end, char *ret_error)
{
    char *path = store_staged(store, file_ix);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (at_end ? O_APPEND : 0), 0666) : -1;
    int code = fd < 0 ? -1 : store_write_fd(fd, bytes, n_bytes);
    store->files[file_ix].is_staged |= fd >= 0;
    if (fd >= 0 && close(fd) < 0)
        code = -1;
    if (code < 0) /* the target says more to its reader than the stage */
        store_fail(store->files[file_ix].target, ret_error);
    free(path);
    return code;
}

static int store_flush_file(struct store *store, size_t file_ix, char *ret_error)
{
    struct store_file *file = &store->files[file_ix];
    size_t n_bytes = file->used;
    file->used = 0;
    return store_put(store, file_ix, file->buffer, n_bytes, true, ret_error);
}

int store_write(struct store *store, size_t file_ix, const void *bytes, size_t n_bytes,
                char *ret_error)
{
    struct store_file *file = &store->files[file_ix];
    if (n_bytes > store->buffer_bytes - file->used &&
        store_flush_file(store, file_ix, ret_error) < 0)
        return -1;
    if (n_bytes > store->buffer_bytes)
        return store_put(store, file_ix, bytes, n_bytes, true, ret_error);
    memcpy(file->buffer + file->used, bytes, n_bytes);
    file->used += n_bytes;
    return 0;
}

int store_flush(struct store *store, char *ret_error)
{
    for (size_t i = 0; i < store->n_files; i++)
        if (store_flush_file(store, i, ret_error) < 0)
            return -1;
    return 0;
}

int store_patch(struct store *store, size_t file_ix, const void *bytes, size_t n_bytes,
                char *ret_error)
{
    return store_put(store, file_ix, bytes, n_bytes, false, ret_error);
}

int store_commit(struct store *store, char *ret_error)
{
    if (store_flush(store, ret_error) < 0)
        return -1;
    for (size_t i = 0; i < store->n_files; i++) {
        struct store_file *file = &store->files[i];
        char *path = store_staged(store, i), *folder = strndup(file->target, file->folder_bytes);
        int code = !path || !folder || (mkdir(folder, 0777) < 0 && errno != EEXIST) ||
                           rename(path, file->target) < 0
                       ? store_fail(file->target, ret_error)
                       : 0;
        free(path);
        free(folder);
        if (code < 0)
            return -1;
        file->is_staged = false;
    }
    store->is_committed = true;
    return 0;
}
