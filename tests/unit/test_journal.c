/* test_journal.c - the journal on a disk that fails, lies, and loses its power.
 *
 *     frame k of stream k % 3:  seq k / 3 + 1, ts k, values k, k + 0.5, ...
 *
 * Whatever the disk does: what was promised is there, what is there is what was written, and what
 * cannot be is said. */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/celltap_journal.h"
#include "lib/journal/crc.h"
#include "lib/journal/folder.h"
#include "tests/support/disk.h"
#include "tests/support/suite.h"

#define DIRECTORY "/disk"
#define N_STREAMS 3
#define HASH(s)   (UINT64_C(0x1111111111111111) * ((s) + 1))

static const char *const stream_names[N_STREAMS] = {"a", "pump/7", "c.c"};

struct feeder {
    struct disk *disk;
    celltap_journal_writer *writer;
    struct celltap_journal_place places[N_STREAMS];
    uint64_t n_frames; /* put so far */
    uint64_t n_safe;   /* of them, promised to outlive a loss of power */
};

static void feeder_open(struct feeder *feeder, struct disk *disk, uint64_t segment_bytes)
{
    struct celltap_journal_writer_options options = {.files = disk_files(disk),
                                                     .directory = DIRECTORY,
                                                     .segment_bytes = segment_bytes,
                                                     .keep = true};
    *feeder = (struct feeder){.disk = disk};
    ck_assert_int_eq(celltap_journal_writer_new(&options, &feeder->writer), 0);
}

static void feeder_put(struct feeder *feeder)
{
    uint64_t k = feeder->n_frames++, s = k % N_STREAMS;
    float values[4] = {(float)k, (float)k + 0.5f, (float)k + 0.25f, (float)k + 0.125f};
    struct celltap_journal_stream stream = {
        .name = stream_names[s],
        .name_bytes = strlen(stream_names[s]),
        .model_hash = HASH(s),
        .n_values = s + 2,
        .place = &feeder->places[s],
    };
    ck_assert_int_eq(celltap_journal_reserve(feeder->writer, &stream), 0);
    struct celltap_journal_frame frame = {
        .seq = k / N_STREAMS + 1, .ts_ns = (int64_t)k, .reset = k < N_STREAMS, .values = values};
    celltap_journal_put(feeder->writer, &stream, &frame);
}

/* As a sync beside the loop: frames may come between its parts. */
static bool feeder_sync(struct feeder *feeder, uint64_t n_frames)
{
    struct celltap_journal_sync sync;
    celltap_journal_sync_start(feeder->writer, &sync);
    int code = celltap_journal_sync_run(&sync);
    celltap_journal_sync_end(feeder->writer, &sync, code);
    if (code == 0)
        feeder->n_safe = n_frames;
    return code == 0;
}

static bool feeder_turn(struct feeder *feeder, size_t n)
{
    for (size_t i = 0; i < n; i++)
        feeder_put(feeder);
    celltap_journal_commit(feeder->writer);
    return celltap_journal_write(feeder->writer, NULL) == 0;
}

static void feeder_close(struct feeder *feeder)
{
    celltap_journal_writer_free(feeder->writer);
    feeder->writer = NULL;
}

/* Turns of 1 to 5 frames, a sync after every `sync_every`. */
static void feeder_run(struct feeder *feeder, size_t n_turns, size_t sync_every)
{
    for (size_t turn = 0; turn < n_turns; turn++) {
        ck_assert(feeder_turn(feeder, turn % 5 + 1));
        if (sync_every != 0 && turn % sync_every == sync_every - 1)
            ck_assert(feeder_sync(feeder, feeder->n_frames));
    }
}

/* ---- reading back -------------------------------------------------------------------------- */

/* Frames from the first on, each as it was put; *ret_code: how it ended. */
static uint64_t read_back(struct disk *disk, int *ret_code)
{
    celltap_journal_reader *reader;
    struct celltap_journal_entry entry;
    uint64_t k = 0;
    *ret_code = celltap_journal_reader_open(disk_files(disk), DIRECTORY, 0, &reader, NULL);
    if (*ret_code != 0)
        return 0;
    while ((*ret_code = celltap_journal_reader_next(reader, NULL)) == 1)
        while (celltap_journal_entry_next(reader, &entry) == 1) {
            float values[4];
            size_t s = k % N_STREAMS;
            bool good = strcmp(entry.stream, stream_names[s]) == 0 && entry.model_hash == HASH(s) &&
                        entry.seq == k / N_STREAMS + 1 && entry.ts_ns == (int64_t)k &&
                        entry.reset == (k < N_STREAMS) && entry.n_values == s + 2;
            celltap_journal_entry_values(&entry, values);
            good = good && values[0] == (float)k && values[1] == (float)k + 0.5f;
            if (!good) /* Check writes to a pipe for every assertion */
                ck_abort_msg("frame %" PRIu64 " is not what was put", k);
            k++;
        }
    celltap_journal_reader_close(reader);
    return k;
}

static struct celltap_journal_check check(struct disk *disk)
{
    struct celltap_journal_check check;
    struct celltap_journal_error error;
    int code = celltap_journal_check(disk_files(disk), DIRECTORY, 0, NULL, NULL, &check, &error);
    ck_assert_msg(code == 0, "%d %s", code, error.text);
    return check;
}

/* As a start does.  Returns how many frames are there then. */
static uint64_t recover(struct disk *disk)
{
    int code;
    struct celltap_journal_check found = check(disk);
    ck_assert_int_ne(found.health, CELLTAP_JOURNAL_DAMAGED);
    if (found.health == CELLTAP_JOURNAL_TORN)
        ck_assert_int_eq(celltap_journal_cut(disk_files(disk), DIRECTORY, found.end, NULL), 0);
    ck_assert_int_eq(check(disk).health, CELLTAP_JOURNAL_WHOLE);
    uint64_t n = read_back(disk, &code);
    ck_assert_int_eq(code, 0);
    return n;
}

/* ---- tests --------------------------------------------------------------------------------- */

START_TEST(test_crc_of_known_texts_then_castagnoli_s)
{
    static unsigned char bytes[301];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    ck_assert_uint_eq(crc(0, "123456789", 9), 0xe3069283u);
    for (size_t n = 0; n < sizeof bytes; n++) {
        ck_assert_uint_eq(crc(0, bytes, n), crc_plain(0, bytes, n));
        ck_assert_uint_eq(crc(crc(0, bytes, n / 3), bytes + n / 3, n - n / 3), crc(0, bytes, n));
    }
}
END_TEST

START_TEST(test_crc_of_two_pieces_when_joined_then_that_of_the_whole)
{
    unsigned char bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * i >> 3);
    for (size_t n = 0; n <= sizeof bytes; n += n < 70 ? 1 : 293)
        for (size_t first = 0; first <= n; first += first < 9 ? 1 : 61)
            if (crc_join(crc(0, bytes, first), crc(0, bytes + first, n - first), n - first) !=
                crc(0, bytes, n))
                ck_abort_msg("%zu and %zu bytes", first, n - first);
}
END_TEST

START_TEST(test_frames_when_written_over_many_segments_then_come_back)
{
    struct feeder feeder;
    struct disk *disk = disk_new();
    int code;
    feeder_open(&feeder, disk, 300);
    feeder_run(&feeder, 40, 3);
    struct celltap_journal_check found = check(disk);
    ck_assert_int_eq(found.health, CELLTAP_JOURNAL_WHOLE);
    ck_assert_uint_gt(found.n_segments, 5);
    ck_assert_uint_eq(found.n_frames, feeder.n_frames);
    ck_assert_uint_eq(read_back(disk, &code), feeder.n_frames);
    ck_assert_uint_eq(found.end, celltap_journal_writer_state(feeder.writer).position);
    feeder_close(&feeder);
    disk_free(disk);
}
END_TEST

START_TEST(test_frame_of_16_values_at_64_a_turn_then_costs_at_most_88_bytes)
{
    struct disk *disk = disk_new();
    struct feeder feeder;
    struct celltap_journal_place places[64] = {0};
    float values[16] = {0};
    feeder_open(&feeder, disk, 16 << 20);
    for (uint64_t turn = 0; turn < 1000; turn++) {
        for (size_t i = 0; i < 64; i++) {
            char name[16];
            snprintf(name, sizeof name, "stream/%zu", i);
            struct celltap_journal_stream stream = {name, strlen(name), 1, 0, 16, &places[i]};
            struct celltap_journal_frame frame = {.seq = turn + 1, .values = values};
            ck_assert_int_eq(celltap_journal_reserve(feeder.writer, &stream), 0);
            celltap_journal_put(feeder.writer, &stream, &frame);
        }
        celltap_journal_commit(feeder.writer);
        ck_assert_int_eq(celltap_journal_write(feeder.writer, NULL), 0);
        ck_assert(feeder_sync(&feeder, 0));
    }
    double n = (double)celltap_journal_writer_state(feeder.writer).position / 64000;
    ck_assert_msg(n <= 64 + 24, "%g bytes", n);
    feeder_close(&feeder);
    disk_free(disk);
}
END_TEST

START_TEST(test_end_when_cut_at_every_byte_then_whole_records_stay)
{
    struct feeder feeder;
    struct disk *disk = disk_new();
    char path[FOLDER_PATH_MAX];
    size_t n_bytes;
    feeder_open(&feeder, disk, 1 << 20);
    feeder_run(&feeder, 6, 0);
    uint64_t before = feeder.n_frames;
    ck_assert(feeder_sync(&feeder, before));
    uint64_t begin = celltap_journal_writer_state(feeder.writer).position;
    ck_assert(feeder_turn(&feeder, 4)); /* says that all before it is safe */
    folder_path(path, DIRECTORY, 0, FOLDER_SEGMENT);
    disk_file(disk, path, &n_bytes);
    for (size_t n = begin; n <= n_bytes; n++) {
        struct disk *cut = disk_copy(disk);
        disk_cut(cut, path, n);
        struct celltap_journal_check found = check(cut);
        bool whole = n == begin || n == n_bytes;
        ck_assert_int_eq(found.health, whole ? CELLTAP_JOURNAL_WHOLE : CELLTAP_JOURNAL_TORN);
        ck_assert_uint_eq(recover(cut), n == n_bytes ? feeder.n_frames : before);
        disk_free(cut);
    }
    feeder_close(&feeder);
    disk_free(disk);
}
END_TEST

/* In the last record a flip is like a torn end; before it, where the journal was synced, damage. */
START_TEST(test_byte_when_flipped_anywhere_then_never_a_wrong_value)
{
    struct feeder feeder;
    struct disk *disk = disk_new();
    size_t n_damaged = 0, n_torn = 0;
    feeder_open(&feeder, disk, 300);
    feeder_run(&feeder, 12, 1);
    struct celltap_journal_list list;
    ck_assert_int_eq(celltap_journal_list(disk_files(disk), DIRECTORY, &list, NULL), 0);
    uint64_t last = 0, end = celltap_journal_writer_state(feeder.writer).position;
    for (size_t i = 0; i < list.n_segments; i++) {
        char path[FOLDER_PATH_MAX];
        size_t n_bytes;
        folder_path(path, DIRECTORY, list.segments[i], FOLDER_SEGMENT);
        disk_file(disk, path, &n_bytes);
        for (size_t at = 0; at < n_bytes; at++) {
            struct disk *bad = disk_copy(disk);
            size_t ignored;
            int code;
            disk_file(bad, path, &ignored)[at] ^= (unsigned char)(1u << at % 8);
            struct celltap_journal_check found = check(bad);
            ck_assert_int_ne(found.health, CELLTAP_JOURNAL_WHOLE);
            ck_assert_uint_le(found.bad_segment + found.bad_offset, list.segments[i] + at);
            if (found.health == CELLTAP_JOURNAL_TORN) {
                last = found.bad_segment + found.bad_offset; /* where the last record begins */
                n_torn++;
            } else {
                ck_assert_uint_eq(last, 0);
                n_damaged++;
            }
            read_back(bad, &code); /* right values, as far as it goes */
            ck_assert_int_eq(code, found.health == CELLTAP_JOURNAL_TORN ? 0 : CELLTAP_EDAMAGED);
            disk_free(bad);
        }
    }
    ck_assert_uint_gt(n_torn, 0);
    ck_assert_uint_eq(n_damaged + n_torn, end);
    ck_assert_uint_lt(n_torn, 400);
    celltap_journal_list_done(&list);
    feeder_close(&feeder);
    disk_free(disk);
}
END_TEST

START_TEST(test_power_when_lost_at_any_moment_then_what_was_synced_is_there)
{
    uint64_t n_less = 0;
    for (size_t sync_every = 1; sync_every <= 4; sync_every += 3)
        for (size_t n_turns = 0; n_turns <= 24; n_turns++) {
            struct feeder feeder;
            struct disk *disk = disk_new();
            feeder_open(&feeder, disk, 400);
            feeder_run(&feeder, n_turns, sync_every);
            ck_assert(feeder_turn(&feeder, 3)); /* on its way */
            for (uint64_t seed = 1; seed <= 20; seed++) {
                struct disk *after = disk_lose_power(disk, seed);
                uint64_t n = recover(after);
                ck_assert_uint_ge(n, feeder.n_safe);
                ck_assert_uint_le(n, feeder.n_frames);
                n_less += n < feeder.n_frames;
                disk_free(after);
            }
            feeder_close(&feeder);
            disk_free(disk);
        }
    ck_assert_uint_gt(n_less, 50); /* the disk did lose what was not synced */
}
END_TEST

/* The daemon's way: no frames while something is not written, the same again until it is. */
static void run_failing(struct feeder *feeder)
{
    for (size_t turn = 0; turn < 20; turn++) {
        if (!feeder_turn(feeder, turn % 5 + 1))
            while (celltap_journal_write(feeder->writer, NULL) != 0)
                ;
        if (turn % 2)
            while (!feeder_sync(feeder, feeder->n_frames))
                while (celltap_journal_write(feeder->writer, NULL) != 0)
                    ;
        struct disk *after = disk_lose_power(feeder->disk, turn + 1);
        ck_assert_uint_ge(recover(after), feeder->n_safe);
        disk_free(after);
    }
}

START_TEST(test_disk_when_the_nth_write_or_sync_fails_then_nothing_safe_is_lost)
{
    static const int numbers[2] = {ENOSPC, EIO};
    int code;
    for (enum disk_call call = DISK_WRITES; call <= DISK_SYNCS; call++)
        for (uint64_t n = 0, n_calls = 1; n <= n_calls; n++) {
            struct feeder feeder;
            struct disk *disk = disk_new();
            feeder_open(&feeder, disk, 400);
            disk_fail(disk, call, n, n % 3 + 1, numbers[n % 2]);
            run_failing(&feeder);
            if (n == 0)
                n_calls = disk_n_calls(disk, call);
            ck_assert_int_eq(check(disk).health, CELLTAP_JOURNAL_WHOLE);
            ck_assert_uint_eq(read_back(disk, &code), feeder.n_frames);
            ck_assert_int_eq(code, 0);
            feeder_close(&feeder);
            disk_free(disk);
        }
}
END_TEST

START_TEST(test_retention_when_too_large_then_oldest_go_but_never_what_is_needed)
{
    struct feeder feeder;
    struct disk *disk = disk_new();
    struct celltap_journal_list list;
    feeder_open(&feeder, disk, 300);
    feeder_run(&feeder, 40, 1);
    ck_assert_int_eq(celltap_journal_list(disk_files(disk), DIRECTORY, &list, NULL), 0);
    size_t n = list.n_segments;
    uint64_t needed = list.segments[n - 3] + 5;
    celltap_journal_list_done(&list);
    ck_assert_int_eq(celltap_journal_retain(disk_files(disk), DIRECTORY, 0, 1, 0, NULL), 0);
    ck_assert_int_eq(celltap_journal_retain(disk_files(disk), DIRECTORY, needed, 1 << 30, 0, NULL),
                     0);
    ck_assert_int_eq(celltap_journal_retain(disk_files(disk), DIRECTORY, needed, 1, 0, NULL),
                     (int)n - 3);
    ck_assert_int_eq(celltap_journal_list(disk_files(disk), DIRECTORY, &list, NULL), 0);
    ck_assert_uint_eq(list.n_segments, 3);
    ck_assert_int_eq(check(disk).health, CELLTAP_JOURNAL_WHOLE);
    celltap_journal_list_done(&list);
    feeder_close(&feeder);
    disk_free(disk);
}
END_TEST

static int open_gone(void *arg, const char *path, bool anew)
{
    (void)arg;
    (void)path;
    (void)anew;
    return -ENOENT;
}

START_TEST(test_segment_when_removed_after_the_folder_was_listed_then_not_kept_any_more)
{
    struct feeder feeder;
    struct celltap_journal_error error;
    celltap_journal_reader *reader;
    struct disk *disk = disk_new();
    feeder_open(&feeder, disk, 1 << 20);
    ck_assert(feeder_turn(&feeder, 3));
    feeder_close(&feeder);
    struct celltap_files files = *disk_files(disk);
    files.open = open_gone;
    ck_assert_int_eq(celltap_journal_reader_open(&files, DIRECTORY, 0, &reader, &error),
                     CELLTAP_EGONE);
    ck_assert_ptr_nonnull(strstr(error.text, "not kept any more"));
    disk_free(disk);
}
END_TEST

START_TEST(test_memory_when_it_is_out_then_no_half_frame)
{
    struct feeder feeder;
    struct disk *disk = disk_new();
    struct celltap_journal_stream stream = {"a", 1, 1, 0, 1 << 20, &feeder.places[0]};
    int code;
    long alive = alloc_n_alive();
    feeder_open(&feeder, disk, 300);
    feeder_run(&feeder, 3, 1);
    alloc_fail_after(0);
    ck_assert_int_eq(celltap_journal_reserve(feeder.writer, &stream), CELLTAP_ENOMEM);
    alloc_fail_after(-1);
    ck_assert(feeder_turn(&feeder, 2));
    ck_assert_uint_eq(read_back(disk, &code), feeder.n_frames);
    feeder_close(&feeder);
    ck_assert_int_eq(alloc_n_alive(), alive);
    disk_free(disk);
}
END_TEST

int main(void)
{
    mallopt(M_TRIM_THRESHOLD, 1 << 30); /* thousands of readers: their windows stay at hand */
    const TTest *const tests[] = {
        test_crc_of_known_texts_then_castagnoli_s,
        test_crc_of_two_pieces_when_joined_then_that_of_the_whole,
        test_frames_when_written_over_many_segments_then_come_back,
        test_frame_of_16_values_at_64_a_turn_then_costs_at_most_88_bytes,
        test_end_when_cut_at_every_byte_then_whole_records_stay,
        test_byte_when_flipped_anywhere_then_never_a_wrong_value,
        test_power_when_lost_at_any_moment_then_what_was_synced_is_there,
        test_disk_when_the_nth_write_or_sync_fails_then_nothing_safe_is_lost,
        test_retention_when_too_large_then_oldest_go_but_never_what_is_needed,
        test_segment_when_removed_after_the_folder_was_listed_then_not_kept_any_more,
        test_memory_when_it_is_out_then_no_half_frame,
        NULL,
    };
    return suite_run("journal", tests, 300);
}
