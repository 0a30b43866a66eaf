/* test_journal_keep.c - snapshots and models on a disk that fails and loses its power.
 *
 * Whatever happens while they are written: what has its name is whole, and what was said to be kept
 * is there. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/le.h"
#include "lib/journal/crc.h"
#include "lib/journal/folder.h"
#include "tests/support/disk.h"
#include "tests/support/suite.h"
#include "tests/support/toy.h"

#define DIRECTORY   "/disk"
#define N_HELD      100 /* makes a slice of a sector or so */
#define N_SLICES    3
#define N_STREAMS   (2 * N_SLICES - 1) /* two in a slice, and one in the last */
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

/* One whose values say which it is.  1; 0: the slice is full. */
static int put_stream(const struct keeper *keeper, celltap_snapshot_slice *slice, uint64_t position,
                      size_t ix)
{
    float held[N_HELD];
    char name[2] = {(char)('a' + ix), '\0'};
    for (size_t i = 0; i < N_HELD; i++)
        held[i] = (float)(position + ix * N_HELD + i);
    struct celltap_snapshot_stream stream = {
        .name = name,
        .name_bytes = 1,
        .seq = position + ix,
        .n_frames = 1,
        .n_held = N_HELD,
        .held = (const unsigned char *)held,
        .state_bytes = celltap_stream_save_bytes(keeper->stream),
    };
    return celltap_snapshot_put(slice, &stream, keeper->stream);
}

/* As the daemon: slices of two streams, the last with what is left. */
static int write_streams(struct keeper *keeper, celltap_snapshot_writer *writer,
                         celltap_snapshot_slice *slice, uint64_t position)
{
    size_t ix = 0;
    while (ix < N_STREAMS) {
        int put = put_stream(keeper, slice, position, ix);
        ck_assert_int_ge(put, 0);
        ix += (size_t)put;
        int code = put == 0 ? celltap_snapshot_write(writer, slice, NULL) : 0;
        if (code != 0)
            return code;
    }
    return celltap_snapshot_write(writer, slice, NULL);
}

static int keeper_store(struct keeper *keeper, uint64_t position)
{
    celltap_snapshot_slice *slice;
    celltap_snapshot_writer *writer;
    size_t stream_bytes = 62 + N_HELD * sizeof(float) + celltap_stream_save_bytes(keeper->stream);
    ck_assert_int_eq(celltap_snapshot_slice_new(2 * stream_bytes, &slice), 0);
    ck_assert_int_eq(
        celltap_snapshot_writer_new(disk_files(keeper->disk), DIRECTORY, position, 0, &writer), 0);
    int code = write_streams(keeper, writer, slice, position);
    if (code == 0)
        code = celltap_snapshot_store(writer, NULL);
    if (code == 0)
        ck_assert_uint_eq(celltap_snapshot_writer_bytes(writer), 48 + N_STREAMS * stream_bytes);
    celltap_snapshot_slice_free(slice);
    celltap_snapshot_writer_free(writer);
    return code;
}

static void check_stream(const struct celltap_snapshot_stream *stream, uint64_t position, size_t ix)
{
    float held[N_HELD];
    const struct celltap_journal_entry entry = {.values = stream->held, .n_values = N_HELD};
    ck_assert_uint_eq(stream->name_bytes, 1);
    ck_assert_int_eq(stream->name[0], 'a' + (int)ix);
    ck_assert_uint_eq(stream->seq, position + ix);
    ck_assert_uint_eq(stream->n_held, N_HELD);
    celltap_journal_entry_values(&entry, held);
    for (size_t i = 0; i < N_HELD; i++)
        if (held[i] != (float)(position + ix * N_HELD + i))
            ck_abort_msg("value %zu of stream %zu is %g", i, ix, (double)held[i]);
}

/* What has a snapshot's name is whole and holds what was put. */
static void check_snapshot(struct disk *disk, uint64_t position)
{
    celltap_snapshot *snapshot;
    struct celltap_snapshot_stream stream;
    struct celltap_journal_error error;
    int code = celltap_snapshot_open(disk_files(disk), DIRECTORY, position, &snapshot, &error);
    ck_assert_msg(code == 0, "%s", error.text);
    for (size_t ix = 0; ix < N_STREAMS; ix++) {
        ck_assert_int_eq(celltap_snapshot_next(snapshot, &stream, NULL), 1);
        check_stream(&stream, position, ix);
    }
    ck_assert_int_eq(celltap_snapshot_next(snapshot, &stream, NULL), 0);
    celltap_snapshot_close(snapshot);
}

static void look_for_beside(void *arg, const char *name)
{
    *(size_t *)arg += strstr(name, ".new") != NULL;
}

static size_t n_beside(struct disk *disk)
{
    const struct celltap_files *files = disk_files(disk);
    size_t n = 0;
    ck_assert_int_eq(files->list(files->arg, DIRECTORY, look_for_beside, &n), 0);
    return n;
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

/* As a start does. */
static void check_power(const struct keeper *keeper)
{
    ck_assert_uint_eq(n_beside(keeper->disk), 0);
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        struct disk *after = disk_lose_power(keeper->disk, seed);
        ck_assert_int_eq(celltap_journal_tidy(disk_files(after), DIRECTORY, NULL), 0);
        ck_assert_uint_eq(n_beside(after), 0);
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
                if (n == 0 && call == DISK_WRITES) /* open, slices, head, rename; the model's */
                    ck_assert_uint_eq(n_calls, N_SNAPSHOTS * (N_SLICES + 3) + 3);
                check_after(&keeper, keeper.disk);
                keeper_done(&keeper);
            }
    ck_assert_int_eq(alloc_n_alive(), alive);
}
END_TEST

START_TEST(test_writer_when_given_up_at_any_slice_then_nothing_is_left)
{
    long alive = alloc_n_alive();
    for (size_t n = 0; n <= N_SLICES; n++) {
        struct keeper keeper;
        celltap_snapshot_slice *slice;
        celltap_snapshot_writer *writer;
        keeper_init(&keeper);
        ck_assert_int_eq(keeper_store(&keeper, 1000), 0);
        ck_assert_int_eq(celltap_snapshot_slice_new(1, &slice), 0);
        ck_assert_int_eq(
            celltap_snapshot_writer_new(disk_files(keeper.disk), DIRECTORY, 2000, 0, &writer), 0);
        for (size_t ix = 0; ix < n; ix++) {
            ck_assert_int_eq(put_stream(&keeper, slice, 2000, ix), 1); /* larger than its room */
            ck_assert_int_eq(put_stream(&keeper, slice, 2000, ix), 0);
            ck_assert_int_eq(celltap_snapshot_write(writer, slice, NULL), 0);
        }
        ck_assert_uint_eq(n_beside(keeper.disk), n > 0);
        celltap_snapshot_writer_free(writer);
        celltap_snapshot_slice_free(slice);
        ck_assert_uint_eq(n_beside(keeper.disk), 0);
        keeper.n_stored = 1;
        check_after(&keeper, keeper.disk);
        keeper_done(&keeper);
    }
    ck_assert_int_eq(alloc_n_alive(), alive);
}
END_TEST

/* Another file's sync waits at most until the disk has taken so much of a large snapshot. */
START_TEST(test_snapshot_when_large_then_synced_on_its_way)
{
    enum { N_LARGE = 4, N_VALUES = 800000 }; /* 3 MB a stream */
    static const float held[N_VALUES];
    for (uint64_t fails = 0; fails <= 3; fails++) {
        struct keeper keeper;
        celltap_snapshot_slice *slice;
        celltap_snapshot_writer *writer;
        int code = 0;
        keeper_init(&keeper);
        struct celltap_snapshot_stream stream = {
            .name = "s",
            .name_bytes = 1,
            .n_held = N_VALUES,
            .held = (const unsigned char *)held,
            .state_bytes = celltap_stream_save_bytes(keeper.stream),
        };
        ck_assert_int_eq(celltap_snapshot_slice_new(1, &slice), 0);
        ck_assert_int_eq(
            celltap_snapshot_writer_new(disk_files(keeper.disk), DIRECTORY, 0, 0, &writer), 0);
        disk_fail(keeper.disk, DISK_SYNCS, fails, 1, EIO);
        for (size_t i = 0; code == 0 && i < N_LARGE; i++) {
            ck_assert_int_eq(celltap_snapshot_put(slice, &stream, keeper.stream), 1);
            code = celltap_snapshot_write(writer, slice, NULL);
            ck_assert_int_eq(code, fails == 1 && i == 2 ? CELLTAP_EIO : 0);
        }
        if (code == 0)
            code = celltap_snapshot_store(writer, NULL);
        ck_assert_int_eq(code, fails == 0 ? 0 : CELLTAP_EIO);
        if (fails == 0) /* on its way, at its end, the directory */
            ck_assert_uint_eq(disk_n_calls(keeper.disk, DISK_SYNCS), 3);
        ck_assert_uint_eq(n_beside(keeper.disk), 0);
        celltap_snapshot_slice_free(slice);
        celltap_snapshot_writer_free(writer);
        keeper_done(&keeper);
    }
}
END_TEST

START_TEST(test_snapshot_when_a_byte_is_changed_or_missing_then_not_whole)
{
    struct keeper keeper;
    celltap_snapshot *snapshot;
    char path[FOLDER_PATH_MAX];
    size_t n_bytes;
    long alive = alloc_n_alive();
    keeper_init(&keeper);
    ck_assert_int_eq(keeper_store(&keeper, 1000), 0);
    const struct celltap_files *files = disk_files(keeper.disk);
    folder_path(path, DIRECTORY, 1000, FOLDER_SNAPSHOT);
    unsigned char *bytes = disk_file(keeper.disk, path, &n_bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] ^= (unsigned char)(1u << i % 8);
        if (celltap_snapshot_open(files, DIRECTORY, 1000, &snapshot, NULL) != CELLTAP_EDAMAGED)
            ck_abort_msg("byte %zu was changed", i);
        bytes[i] ^= (unsigned char)(1u << i % 8);
    }
    check_snapshot(keeper.disk, 1000);
    while (n_bytes-- > 0) {
        disk_cut(keeper.disk, path, n_bytes);
        if (celltap_snapshot_open(files, DIRECTORY, 1000, &snapshot, NULL) != CELLTAP_EDAMAGED)
            ck_abort_msg("cut to %zu bytes", n_bytes);
    }
    keeper_done(&keeper);
    ck_assert_int_eq(alloc_n_alive(), alive);
}
END_TEST

/* As above, but the checksum fits: none of these is ever read beyond its bytes. */
START_TEST(test_snapshot_when_its_lengths_lie_then_not_whole)
{
    struct keeper keeper;
    celltap_snapshot *snapshot;
    char path[FOLDER_PATH_MAX];
    size_t n_bytes;
    keeper_init(&keeper);
    ck_assert_int_eq(keeper_store(&keeper, 1000), 0);
    folder_path(path, DIRECTORY, 1000, FOLDER_SNAPSHOT);
    unsigned char *bytes = disk_file(keeper.disk, path, &n_bytes);
    static const size_t lies[] = {40, 47, 48 + 48, 48 + 52, 48 + 55, 48 + 56, 48 + 59, 48 + 60};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        bytes[lies[i]] ^= 0x82; /* of the flags: watched */
        le_put32(bytes + 8, crc(0, bytes + 12, n_bytes - 12));
        ck_assert_int_eq(
            celltap_snapshot_open(disk_files(keeper.disk), DIRECTORY, 1000, &snapshot, NULL),
            CELLTAP_EDAMAGED);
        bytes[lies[i]] ^= 0x82;
    }
    keeper_done(&keeper);
}
END_TEST

START_TEST(test_memory_when_it_is_out_then_nothing_is_half_made)
{
    struct keeper keeper;
    celltap_snapshot_slice *slice;
    celltap_snapshot_writer *writer;
    celltap_snapshot *snapshot;
    keeper_init(&keeper);
    ck_assert_int_eq(keeper_store(&keeper, 1000), 0);
    long alive = alloc_n_alive();
    for (long n = 0; n < 2; n++) {
        alloc_fail_after(n);
        ck_assert_int_eq(celltap_snapshot_slice_new(100, &slice), CELLTAP_ENOMEM);
        alloc_fail_after(n);
        ck_assert_int_eq(
            celltap_snapshot_open(disk_files(keeper.disk), DIRECTORY, 1000, &snapshot, NULL),
            CELLTAP_ENOMEM);
    }
    alloc_fail_after(0);
    ck_assert_int_eq(
        celltap_snapshot_writer_new(disk_files(keeper.disk), DIRECTORY, 2000, 0, &writer),
        CELLTAP_ENOMEM);
    alloc_fail_after(-1);
    ck_assert_int_eq(celltap_snapshot_slice_new(1, &slice), 0);
    alloc_fail_after(0);
    ck_assert_int_eq(put_stream(&keeper, slice, 2000, 0), CELLTAP_ENOMEM);
    alloc_fail_after(-1);
    ck_assert_int_eq(put_stream(&keeper, slice, 2000, 0), 1);
    celltap_snapshot_slice_free(slice);
    ck_assert_int_eq(alloc_n_alive(), alive);
    keeper_done(&keeper);
}
END_TEST

/* In a window of 256 KiB: streams that end at it, reach over it, and are larger. */
START_TEST(test_snapshot_when_larger_than_the_window_then_all_comes_back)
{
    static const size_t sizes[] = {1000, 65000, 70000, 3, 0, 65521, 65522, 200000, 1};
    enum { N = 3 * sizeof sizes / sizeof sizes[0] };
    static float held[200000];
    struct keeper keeper;
    celltap_snapshot_slice *slice;
    celltap_snapshot_writer *writer;
    celltap_snapshot *snapshot;
    struct celltap_snapshot_stream got;
    keeper_init(&keeper);
    ck_assert_int_eq(celltap_snapshot_slice_new(300000, &slice), 0);
    ck_assert_int_eq(celltap_snapshot_writer_new(disk_files(keeper.disk), DIRECTORY, 0, 7, &writer),
                     0);
    for (size_t i = 0; i < N; i++) {
        struct celltap_snapshot_stream stream = {
            .name = "s",
            .name_bytes = 1,
            .detector_hash = i % 2,
            .seq = i,
            .n_held = sizes[i % 9],
            .held = (const unsigned char *)held,
            .state_bytes = celltap_stream_save_bytes(keeper.stream),
        };
        for (size_t k = 0; k < stream.n_held; k++)
            held[k] = (float)(i + k);
        while (celltap_snapshot_put(slice, &stream, keeper.stream) == 0)
            ck_assert_int_eq(celltap_snapshot_write(writer, slice, NULL), 0);
    }
    ck_assert_int_eq(celltap_snapshot_write(writer, slice, NULL), 0);
    ck_assert_int_eq(celltap_snapshot_store(writer, NULL), 0);
    celltap_snapshot_slice_free(slice);
    celltap_snapshot_writer_free(writer);
    ck_assert_int_eq(celltap_snapshot_open(disk_files(keeper.disk), DIRECTORY, 0, &snapshot, NULL),
                     0);
    ck_assert_uint_eq(celltap_snapshot_epoch(snapshot), 7);
    for (size_t i = 0; i < N; i++) {
        ck_assert_int_eq(celltap_snapshot_next(snapshot, &got, NULL), 1);
        struct celltap_journal_entry entry = {.values = got.held, .n_values = got.n_held};
        ck_assert_uint_eq(got.seq, i);
        ck_assert_uint_eq(got.detector_hash, i % 2);
        ck_assert_uint_eq(got.n_held, sizes[i % 9]);
        celltap_journal_entry_values(&entry, held);
        for (size_t k = 0; k < got.n_held; k++)
            if (held[k] != (float)(i + k))
                ck_abort_msg("value %zu of stream %zu is %g", k, i, (double)held[k]);
        ck_assert_int_eq(celltap_stream_load(keeper.stream, got.state, got.state_bytes), 0);
    }
    ck_assert_int_eq(celltap_snapshot_next(snapshot, &got, NULL), 0);
    celltap_snapshot_close(snapshot);
    keeper_done(&keeper);
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
        test_writer_when_given_up_at_any_slice_then_nothing_is_left,
        test_snapshot_when_large_then_synced_on_its_way,
        test_snapshot_when_a_byte_is_changed_or_missing_then_not_whole,
        test_snapshot_when_its_lengths_lie_then_not_whole,
        test_memory_when_it_is_out_then_nothing_is_half_made,
        test_snapshot_when_larger_than_the_window_then_all_comes_back,
        test_power_when_lost_over_a_file_without_sync_then_it_is_torn,
        NULL,
    };
    return suite_run("journal_keep", tests, 60);
}
