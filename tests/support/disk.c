/* disk.c - a disk in memory for the journal: it fails when it is told to, and can lose its power. */
#include "tests/support/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/rig.h"

#define DISK_FILES  256
#define DISK_SECTOR 512

struct disk_bytes {
    unsigned char *bytes; /* owned */
    size_t n;
};

struct disk_write {
    struct disk_write *next;
    uint64_t at;
    struct disk_bytes data;
};

struct disk_file {
    char name_now[64], name_safe[64]; /* "": none */
    struct disk_bytes now, safe;
    struct disk_write *first, *last; /* since the last sync */
};

struct disk {
    struct celltap_files files;
    struct disk_file *list[DISK_FILES]; /* owned */
    size_t n;
    struct {
        uint64_t n_calls, fail_at, n_times;
        int number;
    } calls[2];
};

/* ---- bytes --------------------------------------------------------------------------------- */

static void bytes_put(struct disk_bytes *bytes, uint64_t at, const void *data, size_t n)
{
    if (at + n > bytes->n) {
        bytes->bytes = realloc(bytes->bytes, at + n);
        memset(bytes->bytes + bytes->n, 0, at + n - bytes->n);
        bytes->n = at + n;
    }
    if (n > 0)
        memcpy(bytes->bytes + at, data, n);
}

static void bytes_set(struct disk_bytes *bytes, const struct disk_bytes *from)
{
    bytes->n = 0;
    if (from->n > 0)
        bytes_put(bytes, 0, from->bytes, from->n);
}

static void writes_free(struct disk_file *file)
{
    while (file->first != NULL) {
        struct disk_write *next = file->first->next;
        free(file->first->data.bytes);
        free(file->first);
        file->first = next;
    }
    file->last = NULL;
}

/* ---- files --------------------------------------------------------------------------------- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static struct disk_file *find(struct disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->n; i++)
        if (strcmp(disk->list[i]->name_now, name_of(path)) == 0)
            return disk->list[i];
    return NULL;
}

/* 0, or the errno with which this call is to fail. */
static int fails(struct disk *disk, enum disk_call call)
{
    uint64_t n = ++disk->calls[call].n_calls, at = disk->calls[call].fail_at;
    return at != 0 && n >= at && n < at + disk->calls[call].n_times ? -disk->calls[call].number : 0;
}

static int file_open(void *arg, const char *path, bool anew)
{
    struct disk *disk = arg;
    struct disk_file *file = find(disk, path);
    if (!anew && file == NULL)
        return -ENOENT;
    int code = anew ? fails(disk, DISK_WRITES) : 0;
    if (code != 0)
        return code;
    if (file == NULL) {
        file = disk->list[disk->n++] = calloc(1, sizeof *file);
        snprintf(file->name_now, sizeof file->name_now, "%s", name_of(path));
    } else if (anew) {
        file->now.n = 0; /* what was synced may come back */
        writes_free(file);
    }
    for (size_t i = 0; i < disk->n; i++)
        if (disk->list[i] == file)
            return (int)i;
    return -EIO;
}

static void file_close(void *arg, int file)
{
    (void)arg, (void)file;
}

static int64_t file_size(void *arg, int file)
{
    struct disk *disk = arg;
    return (int64_t)disk->list[file]->now.n;
}

static int64_t file_read(void *arg, int file, void *ret_bytes, size_t n_bytes, uint64_t at)
{
    const struct disk_bytes *now = &((struct disk *)arg)->list[file]->now;
    size_t n = at < now->n ? now->n - (size_t)at : 0;
    n = n < n_bytes ? n : n_bytes;
    if (n > 0)
        memcpy(ret_bytes, now->bytes + at, n);
    return (int64_t)n;
}

static int file_write(void *arg, int file, const void *bytes, size_t n_bytes, uint64_t at)
{
    struct disk *disk = arg;
    struct disk_file *to = disk->list[file];
    int code = fails(disk, DISK_WRITES);
    if (code != 0)
        n_bytes /= 2; /* a part of it is there */
    struct disk_write *write = calloc(1, sizeof *write);
    write->at = at;
    bytes_put(&write->data, 0, bytes, n_bytes);
    if (to->last != NULL)
        to->last->next = write;
    else
        to->first = write;
    to->last = write;
    bytes_put(&to->now, at, bytes, n_bytes);
    return code;
}

static int file_sync(void *arg, int file)
{
    struct disk *disk = arg;
    struct disk_file *of = disk->list[file];
    int code = fails(disk, DISK_SYNCS);
    if (code == 0)
        bytes_set(&of->safe, &of->now);
    writes_free(of); /* after a failure nothing remembers that these were not written */
    return code;
}

static int file_cut(void *arg, const char *path, uint64_t n_bytes)
{
    struct disk_file *file = find(arg, path);
    if (file == NULL)
        return -ENOENT;
    file->now.n = n_bytes < file->now.n ? (size_t)n_bytes : file->now.n;
    bytes_set(&file->safe, &file->now);
    writes_free(file);
    return 0;
}

static int file_rename(void *arg, const char *from, const char *to)
{
    struct disk *disk = arg;
    struct disk_file *file = find(disk, from), *over = find(disk, to);
    int code = fails(disk, DISK_WRITES);
    if (code != 0 || file == NULL)
        return code != 0 ? code : -ENOENT;
    if (over != NULL)
        over->name_now[0] = '\0';
    snprintf(file->name_now, sizeof file->name_now, "%s", name_of(to));
    return 0;
}

static int file_unlink(void *arg, const char *path)
{
    struct disk_file *file = find(arg, path);
    if (file == NULL)
        return -ENOENT;
    file->name_now[0] = '\0';
    return 0;
}

static int file_make_dir(void *arg, const char *path)
{
    (void)arg, (void)path;
    return 0;
}

static int file_sync_dir(void *arg, const char *path)
{
    struct disk *disk = arg;
    (void)path;
    int code = fails(disk, DISK_SYNCS);
    for (size_t i = 0; code == 0 && i < disk->n; i++)
        memcpy(disk->list[i]->name_safe, disk->list[i]->name_now, sizeof disk->list[i]->name_now);
    return code;
}

static int file_list(void *arg, const char *path, void (*each)(void *each_arg, const char *name),
                     void *each_arg)
{
    struct disk *disk = arg;
    (void)path;
    for (size_t i = 0; i < disk->n; i++)
        if (disk->list[i]->name_now[0] != '\0')
            each(each_arg, disk->list[i]->name_now);
    return 0;
}

static int64_t file_age_s(void *arg, const char *path)
{
    (void)arg, (void)path;
    return 0;
}

/* ---- the disk ------------------------------------------------------------------------------ */

struct disk *disk_new(void)
{
    struct disk *disk = calloc(1, sizeof *disk);
    disk->files = (struct celltap_files){
        .arg = disk,
        .open = file_open,
        .close = file_close,
        .size = file_size,
        .read = file_read,
        .write = file_write,
        .sync = file_sync,
        .cut = file_cut,
        .rename = file_rename,
        .unlink = file_unlink,
        .make_dir = file_make_dir,
        .sync_dir = file_sync_dir,
        .list = file_list,
        .age_s = file_age_s,
    };
    return disk;
}

void disk_free(struct disk *disk)
{
    for (size_t i = 0; i < disk->n; i++) {
        writes_free(disk->list[i]);
        free(disk->list[i]->now.bytes);
        free(disk->list[i]->safe.bytes);
        free(disk->list[i]);
    }
    free(disk);
}

const struct celltap_files *disk_files(struct disk *disk)
{
    return &disk->files;
}

void disk_fail(struct disk *disk, enum disk_call call, uint64_t n, uint64_t n_times, int number)
{
    disk->calls[call].n_calls = 0;
    disk->calls[call].fail_at = n;
    disk->calls[call].n_times = n_times;
    disk->calls[call].number = number;
}

uint64_t disk_n_calls(const struct disk *disk, enum disk_call call)
{
    return disk->calls[call].n_calls;
}

static void add(struct disk *disk, const char *name, const struct disk_bytes *bytes)
{
    struct disk_file *file = disk->list[disk->n++] = calloc(1, sizeof *file);
    snprintf(file->name_now, sizeof file->name_now, "%s", name);
    snprintf(file->name_safe, sizeof file->name_safe, "%s", name);
    bytes_set(&file->now, bytes);
    bytes_set(&file->safe, bytes);
}

struct disk *disk_copy(const struct disk *disk)
{
    struct disk *copy = disk_new();
    for (size_t i = 0; i < disk->n; i++)
        if (disk->list[i]->name_now[0] != '\0')
            add(copy, disk->list[i]->name_now, &disk->list[i]->now);
    return copy;
}

struct disk *disk_lose_power(const struct disk *disk, uint64_t seed)
{
    struct disk *after = disk_new();
    uint64_t kept = rig_random(&seed) % 5; /* of four sectors: none, ..., all */
    for (size_t i = 0; i < disk->n; i++) {
        const struct disk_file *file = disk->list[i];
        struct disk_bytes bytes = {0};
        const char *name = rig_random(&seed) % 2 ? file->name_now : file->name_safe;
        if (strcmp(file->name_now, file->name_safe) == 0)
            name = file->name_now;
        bytes_set(&bytes, &file->safe);
        for (const struct disk_write *write = file->first; write != NULL; write = write->next)
            for (size_t at = 0; at < write->data.n;) {
                size_t n = DISK_SECTOR - (size_t)(write->at + at) % DISK_SECTOR;
                n = n < write->data.n - at ? n : write->data.n - at;
                if (rig_random(&seed) % 4 < kept)
                    bytes_put(&bytes, write->at + at, write->data.bytes + at, n);
                at += n;
            }
        if (name[0] != '\0' && find(after, name) == NULL)
            add(after, name, &bytes);
        free(bytes.bytes);
    }
    return after;
}

unsigned char *disk_file(struct disk *disk, const char *path, size_t *ret_n_bytes)
{
    struct disk_file *file = find(disk, path);
    *ret_n_bytes = file != NULL ? file->now.n : 0;
    return file != NULL ? file->now.bytes : NULL;
}

void disk_cut(struct disk *disk, const char *path, size_t n_bytes)
{
    find(disk, path)->now.n = n_bytes;
}
