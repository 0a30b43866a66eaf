/* folder.c - the journal's directory: names of files, whole files read and written, faults said. */
#include "lib/journal/folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

#define FOLDER_DIGITS 16 /* of a number in a name */

char *folder_path(char *ret_path, const char *directory, uint64_t number, const char *kind)
{
    snprintf(ret_path, FOLDER_PATH_MAX, "%s/%0*" PRIx64 ".%s", directory, FOLDER_DIGITS, number,
             kind);
    return ret_path;
}

int folder_fail(struct celltap_journal_error *reterr, int code, int number, const char *format, ...)
{
    if (reterr == NULL)
        return code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reterr->text, sizeof reterr->text, format, arguments);
    va_end(arguments);
    size_t n = strlen(reterr->text);
    if (number != 0)
        snprintf(reterr->text + n, sizeof reterr->text - n, ": %s", strerror(abs(number)));
    return code;
}

/* ---- lists -------------------------------------------------------------------------------- */

struct folder_names {
    const char *kind;
    uint64_t *numbers; /* [n_room] owned */
    size_t n, n_room;
    bool no_memory;
};

static bool folder_number(const char *name, const char *kind, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < FOLDER_DIGITS; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = name[i] != '\0' ? strchr(digits, name[i]) : NULL;
        if (digit == NULL)
            return false;
        number = number << 4 | (uint64_t)(digit - digits);
    }
    *ret_number = number;
    return name[FOLDER_DIGITS] == '.' && strcmp(name + FOLDER_DIGITS + 1, kind) == 0;
}

static void folder_add(void *arg, const char *name)
{
    struct folder_names *names = arg;
    uint64_t number;
    if (!folder_number(name, names->kind, &number))
        return;
    if (names->n == names->n_room) {
        size_t n_room = names->n_room != 0 ? 2 * names->n_room : 64;
        uint64_t *numbers = alloc_new(n_room, sizeof *numbers);
        if (numbers == NULL) {
            names->no_memory = true;
            return;
        }
        if (names->n > 0)
            memcpy(numbers, names->numbers, names->n * sizeof *numbers);
        alloc_free(names->numbers);
        names->numbers = numbers;
        names->n_room = n_room;
    }
    names->numbers[names->n++] = number;
}

static int folder_rising(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int folder_list(const struct celltap_files *files, const char *directory, const char *kind,
                uint64_t **ret_numbers, size_t *ret_n, struct celltap_journal_error *reterr)
{
    struct folder_names names = {.kind = kind};
    int code = files->list(files->arg, directory, folder_add, &names);
    if (code < 0 || names.no_memory) {
        alloc_free(names.numbers);
        return code < 0 ? folder_fail(reterr, CELLTAP_EIO, code, "%s", directory)
                        : folder_fail(reterr, CELLTAP_ENOMEM, 0, "out of memory");
    }
    if (names.n > 0)
        qsort(names.numbers, names.n, sizeof *names.numbers, folder_rising);
    *ret_numbers = names.numbers;
    *ret_n = names.n;
    return 0;
}

int celltap_journal_list(const struct celltap_files *files, const char *directory,
                         struct celltap_journal_list *ret_list,
                         struct celltap_journal_error *reterr)
{
    struct celltap_journal_list list = {0};
    int code =
        folder_list(files, directory, FOLDER_SEGMENT, &list.segments, &list.n_segments, reterr);
    if (code == 0)
        code = folder_list(files, directory, FOLDER_SNAPSHOT, &list.snapshots, &list.n_snapshots,
                           reterr);
    if (code != 0) {
        celltap_journal_list_done(&list);
        return code;
    }
    *ret_list = list;
    return 0;
}

void celltap_journal_list_done(struct celltap_journal_list *list)
{
    alloc_free(list->segments);
    alloc_free(list->snapshots);
    *list = (struct celltap_journal_list){0};
}

/* ---- whole files -------------------------------------------------------------------------- */

int folder_read(const struct celltap_files *files, const char *path, unsigned char **ret_bytes,
                size_t *ret_n_bytes, struct celltap_journal_error *reterr)
{
    int file = files->open(files->arg, path, false);
    if (file < 0)
        return folder_fail(reterr, file == -ENOENT ? CELLTAP_EGONE : CELLTAP_EIO, file, "%s", path);
    int64_t n_bytes = files->size(files->arg, file);
    unsigned char *bytes = n_bytes >= 0 ? alloc_new((size_t)n_bytes + 1, 1) : NULL;
    int64_t got = bytes != NULL ? files->read(files->arg, file, bytes, (size_t)n_bytes, 0) : -1;
    files->close(files->arg, file);
    if (n_bytes >= 0 && bytes == NULL)
        return folder_fail(reterr, CELLTAP_ENOMEM, 0, "%s: out of memory", path);
    if (got != n_bytes) {
        alloc_free(bytes);
        int number = n_bytes < 0 ? (int)n_bytes : got < 0 ? (int)got : EIO;
        return folder_fail(reterr, CELLTAP_EIO, number, "%s", path);
    }
    *ret_bytes = bytes;
    *ret_n_bytes = (size_t)n_bytes;
    return 0;
}

int folder_begin(const struct celltap_files *files, const char *path, struct folder_file *ret_file,
                 struct celltap_journal_error *reterr)
{
    ret_file->files = files;
    snprintf(ret_file->path, sizeof ret_file->path, "%s", path);
    snprintf(ret_file->beside, sizeof ret_file->beside, "%s" FOLDER_BESIDE, path);
    ret_file->file = files->open(files->arg, ret_file->beside, true);
    return ret_file->file >= 0
               ? 0
               : folder_fail(reterr, CELLTAP_EIO, ret_file->file, "%s", ret_file->beside);
}

void folder_drop(struct folder_file *file)
{
    if (file->file < 0)
        return;
    file->files->close(file->files->arg, file->file);
    file->files->unlink(file->files->arg, file->beside);
    file->file = -1;
}

/* 0, or the file is taken away. */
static int folder_done(struct folder_file *file, int code, struct celltap_journal_error *reterr)
{
    if (code == 0)
        return 0;
    folder_drop(file);
    return folder_fail(reterr, CELLTAP_EIO, code, "%s", file->beside);
}

int folder_write(struct folder_file *file, const void *bytes, size_t n_bytes, uint64_t at,
                 struct celltap_journal_error *reterr)
{
    const struct celltap_files *files = file->files;
    return folder_done(file, files->write(files->arg, file->file, bytes, n_bytes, at), reterr);
}

int folder_sync(struct folder_file *file, struct celltap_journal_error *reterr)
{
    return folder_done(file, file->files->sync(file->files->arg, file->file), reterr);
}

int folder_finish(struct folder_file *file, const char *directory,
                  struct celltap_journal_error *reterr)
{
    const struct celltap_files *files = file->files;
    int code = folder_sync(file, reterr);
    if (code == 0)
        code = folder_done(file, files->rename(files->arg, file->beside, file->path), reterr);
    if (code != 0)
        return code;
    files->close(files->arg, file->file);
    file->file = -1;
    code = files->sync_dir(files->arg, directory);
    return code == 0 ? 0 : folder_fail(reterr, CELLTAP_EIO, code, "%s", directory);
}

int folder_store(const struct celltap_files *files, const char *directory, const char *path,
                 const void *bytes, size_t n_bytes, struct celltap_journal_error *reterr)
{
    struct folder_file file;
    int code = folder_begin(files, path, &file, reterr);
    if (code == 0)
        code = folder_write(&file, bytes, n_bytes, 0, reterr);
    return code == 0 ? folder_finish(&file, directory, reterr) : code;
}

int folder_keep(const struct celltap_files *files, const char *directory, uint64_t hash,
                const char *kind, const void *bytes, size_t n_bytes,
                struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    unsigned char *there;
    size_t n_there;
    struct celltap_journal_error ignored;
    folder_path(path, directory, hash, kind);
    if (folder_read(files, path, &there, &n_there, &ignored) == 0) {
        bool same = n_there == n_bytes && memcmp(there, bytes, n_bytes) == 0;
        alloc_free(there);
        if (same)
            return 0;
    }
    return folder_store(files, directory, path, bytes, n_bytes, reterr);
}

int celltap_journal_tidy(const struct celltap_files *files, const char *directory,
                         struct celltap_journal_error *reterr)
{
    static const char *const kinds[] = {FOLDER_SNAPSHOT FOLDER_BESIDE, FOLDER_MODEL FOLDER_BESIDE,
                                        FOLDER_DETECTOR FOLDER_BESIDE};
    char path[FOLDER_PATH_MAX];
    int code = 0;
    for (size_t k = 0; code == 0 && k < sizeof kinds / sizeof kinds[0]; k++) {
        uint64_t *numbers;
        size_t n;
        code = folder_list(files, directory, kinds[k], &numbers, &n, reterr);
        if (code != 0)
            return code;
        for (size_t i = 0; code == 0 && i < n; i++)
            code = files->unlink(files->arg, folder_path(path, directory, numbers[i], kinds[k]));
        alloc_free(numbers);
    }
    return code == 0 ? 0 : folder_fail(reterr, CELLTAP_EIO, code, "%s", path);
}
