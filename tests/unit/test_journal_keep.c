/* test_journal_keep.c - snapshots and models on a disk that fails and loses its power.
 *
 * Whatever happens while they are written: what has its name is whole, and what was said to be kept
 * is there. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/journal/folder.h"
#include "tests/support/disk.h"
#include "tests/support/suite.h"
#include "tests/support/toy.h"

#define DIRECTORY   "/disk"
#define N_HELD      300 /* makes a snapshot of several sectors */
#define N_SNAPSHOTS 3
#define N_SEEDS     12
#define HASH        UINT64_C(0x0123456789abcdef)

struct keeper {
    struct disk *disk;
    struct toy toy;
    celltap_stream *stream;
    unsigned char model[3000];
    size_t n_stored; /* snapshots said to be stored: at positions 1000, 2000, ... */
    bool kept;       /* the model was said to be kept */
};

static void keeper_init(struct keeper *keeper)
{
    memset(keeper, 0, sizeof *keeper);
    keeper->disk = disk_new();
    toy_init(&keeper->toy);
    ck_assert_int_eq(celltap_stream_new(&keeper->toy.model, &keeper->stream), 0);
    for (size_t i = 0; i < sizeof keeper->model; i++)
        keeper->model[i] = (unsigned char)(i * 31);
}

static void keeper_done(struct keeper *keeper)
{
    celltap_stream_free(keeper->stream);
    disk_free(keeper->disk);
}

static int keeper_store(struct keeper *keeper, uint64_t position)
{
    float held[N_HELD];
    celltap_snapshot *snapshot;
    for (size_t i = 0; i < N_HELD; i++)
        held[i] = (float)position + (float)i;
    struct celltap_snapshot_stream stream = {
        .name = "pump/7",
        .name_bytes = 6,
        .seq = position,
        .n_frames = 1,
        .n_held = N_HELD,
        .held = (const unsigned char *)held,
        .state_bytes = celltap_stream_save_bytes(keeper->stream),
    };
    ck_assert_int_eq(celltap_snapshot_new(position, 0, &snapshot), 0);
    ck_assert_int_eq(celltap_snapshot_put(snapshot, &stream, keeper->stream), 0);
    int code = celltap_snapshot_store(snapshot, disk_files(keeper->disk), DIRECTORY, NULL);
    celltap_snapshot_free(snapshot);
    return code;
}

/* What has a snapshot's name is whole and holds what was put. */
static void check_snapshot(struct disk *disk, uint64_t position)
{
    celltap_snapshot *snapshot;
    struct celltap_snapshot_stream stream;
    struct celltap_journal_error error;
    size_t cursor = 0;
    int code = celltap_snapshot_load(disk_files(disk), DIRECTORY, position, &snapshot, &error);
    ck_assert_msg(code == 0, "%s", error.text);
    ck_assert_int_eq(celltap_snapshot_next(snapshot, &cursor, &stream), 1);
    ck_assert_uint_eq(stream.seq, position);
    ck_assert_uint_eq(stream.n_held, N_HELD);
    celltap_snapshot_free(snapshot);
}

static void check_model(const struct keeper *keeper, struct disk *disk)
{
    char path[FOLDER_PATH_MAX];
    size_t n_bytes;
    folder_path(path, DIRECTORY, HASH, FOLDER_MODEL);
    const unsigned char *bytes = disk_file(disk, path, &n_bytes);
    ck_assert(bytes != NULL || !keeper->kept);
    if (bytes != NULL) {
        ck_assert_uint_eq(n_bytes, sizeof keeper->model);
        ck_assert_int_eq(memcmp(bytes, keeper->model, n_bytes), 0);
    }
}

static void check_after(const struct keeper *keeper, struct disk *disk)
{
    struct celltap_journal_list list;
    ck_assert_int_eq(celltap_journal_list(disk_files(disk), DIRECTORY, &list, NULL), 0);
    ck_assert_uint_ge(list.n_snapshots, keeper->n_stored);
    for (size_t i = 0; i < list.n_snapshots; i++) {
        if (i < keeper->n_stored)
            ck_assert_uint_eq(list.snapshots[i], 1000 * (i + 1));
        check_snapshot(disk, list.snapshots[i]);
    }
    check_model(keeper, disk);
    celltap_journal_list_done(&list);
}

static void check_power(const struct keeper *keeper)
{
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        struct disk *after = disk_lose_power(keeper->disk, seed);
        check_after(keeper, after);
        disk_free(after);
    }
}

/* As the daemon: what could not be stored is tried again. */
static void keeper_run(struct keeper *keeper)
{
    const struct celltap_files *files = disk_files(keeper->disk);
    while (celltap_journal_keep_model(files, DIRECTORY, HASH, keeper->model, sizeof keeper->model,
                                      NULL) != 0)
        check_power(keeper);
    for (size_t i = 1; i <= N_SNAPSHOTS; i++) {
        while (keeper_store(keeper, 1000 * i) != 0)
            check_power(keeper);
        keeper->n_stored = i;
        keeper->kept = true; /* a snapshot has synced the directory, also if it was there before */
        check_power(keeper);
    }
}

START_TEST(test_disk_when_the_nth_write_or_sync_fails_then_names_mean_whole_files)
{
    static const int numbers[2] = {ENOSPC, EIO};
    long alive = alloc_n_alive();
    for (enum disk_call call = DISK_WRITES; call <= DISK_SYNCS; call++)
        for (uint64_t n = 0, n_calls = 1; n <= n_calls; n++)
            for (size_t times = 1; times <= 3; times++) {
                struct keeper keeper;
                keeper_init(&keeper);
                disk_fail(keeper.disk, call, n, times, numbers[(n + times) % 2]);
                keeper_run(&keeper);
                if (n == 0)
                    n_calls = disk_n_calls(keeper.disk, call);
                check_after(&keeper, keeper.disk);
                keeper_done(&keeper);
            }
    ck_assert_int_eq(alloc_n_alive(), alive);
}
END_TEST

/* The test's own test: a snapshot written in its place would be noticed. */
START_TEST(test_power_when_lost_over_a_file_without_sync_then_it_is_torn)
{
    size_t n_torn = 0;
    struct keeper keeper;
    char path[FOLDER_PATH_MAX];
    keeper_init(&keeper);
    const struct celltap_files *files = disk_files(keeper.disk);
    folder_path(path, DIRECTORY, HASH, FOLDER_MODEL);
    int file = files->open(files->arg, path, true);
    ck_assert_int_eq(files->sync_dir(files->arg, DIRECTORY), 0);
    ck_assert_int_eq(files->write(files->arg, file, keeper.model, sizeof keeper.model, 0), 0);
    files->close(files->arg, file);
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        size_t n_bytes = 0;
        struct disk *after = disk_lose_power(keeper.disk, seed);
        const unsigned char *bytes = disk_file(after, path, &n_bytes);
        n_torn += bytes == NULL || n_bytes != sizeof keeper.model ||
                  memcmp(bytes, keeper.model, n_bytes) != 0;
        disk_free(after);
    }
    ck_assert_uint_gt(n_torn, 0);
    keeper_done(&keeper);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_disk_when_the_nth_write_or_sync_fails_then_names_mean_whole_files,
        test_power_when_lost_over_a_file_without_sync_then_it_is_torn,
        NULL,
    };
    return suite_run("journal_keep", tests, 60);
}
