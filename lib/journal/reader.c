/* reader.c - the journal read from front to back: segments, records, entries.
 *
 *     segments[]   | at | at | at |        found when opened, looked for again at the end
 *     window       a part of the file around the record; grows with the longest record
 *     entries      what this segment's entries call by number; those of the record    (entries.c)
 *
 * A record is looked at as a whole before its first entry is given out: its checksum, then its
 * entries.  Where a record is not whole the reader stops for good: at the journal's end that may be a
 * write that never finished, anywhere else it is damage.  Which of the two is told by the records
 * behind it: each says how far the journal was synced when it was made, and what was synced once
 * cannot be torn. */
#include "lib/journal/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/journal/entries.h"
#include "lib/journal/folder.h"
#include "lib/journal/segment.h"

#define READER_WINDOW_BYTES ((size_t)64 * 1024)

struct celltap_journal_reader {
    const struct celltap_files *files;
    uint64_t *segments; /* [n_segments] owned */
    size_t n_segments, segment_ix;
    int file; /* -1: none */
    uint64_t file_bytes, position, epoch;
    struct reader_fault fault;
    bool stopped;

    unsigned char *window; /* [window_room] owned */
    uint64_t window_at;    /* offset in the file */
    size_t window_bytes, window_room;

    struct segment_record record;
    struct entries entries; /* what this segment's streams are called; those left of the record */
    char directory[];
};

/* ---- the file ----------------------------------------------------------------------------- */

uint64_t reader_first(const struct celltap_journal_reader *reader)
{
    return reader->segments[0];
}

uint64_t reader_segment(const struct celltap_journal_reader *reader)
{
    return reader->segments[reader->segment_ix];
}

static int reader_io(const struct celltap_journal_reader *reader, int number,
                     struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    folder_path(path, reader->directory, reader_segment(reader), FOLDER_SEGMENT);
    return folder_fail(reterr, CELLTAP_EIO, number, "%s", path);
}

/* Makes n_bytes from an offset on readable in memory; *ret_n: how many of them there are. */
static int reader_look(struct celltap_journal_reader *reader, uint64_t offset, size_t n_bytes,
                       const unsigned char **ret_bytes, size_t *ret_n,
                       struct celltap_journal_error *reterr)
{
    if (offset < reader->window_at || offset + n_bytes > reader->window_at + reader->window_bytes) {
        if (n_bytes > reader->window_room) {
            size_t room = READER_WINDOW_BYTES;
            while (room < n_bytes)
                room *= 2;
            unsigned char *window = alloc_new(room, 1);
            if (window == NULL)
                return folder_fail(reterr, CELLTAP_ENOMEM, 0, "out of memory");
            alloc_free(reader->window);
            reader->window = window;
            reader->window_room = room;
        }
        int64_t got = reader->files->read(reader->files->arg, reader->file, reader->window,
                                          reader->window_room, offset);
        reader->window_bytes = got > 0 ? (size_t)got : 0;
        reader->window_at = offset;
        if (got < 0)
            return reader_io(reader, (int)got, reterr);
    }
    size_t there = (size_t)(reader->window_at + reader->window_bytes - offset);
    *ret_bytes = reader->window + (offset - reader->window_at);
    *ret_n = there < n_bytes ? there : n_bytes;
    return 0;
}

static int reader_stop(struct celltap_journal_reader *reader, const char *reason,
                       struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    uint64_t segment = reader_segment(reader);
    reader->fault = (struct reader_fault){segment, reader->position - segment, reason};
    reader->stopped = true;
    folder_path(path, reader->directory, segment, FOLDER_SEGMENT);
    return folder_fail(reterr, CELLTAP_EDAMAGED, 0, "%s, offset %" PRIu64 ": %s", path,
                       reader->fault.offset, reason);
}

static void reader_close_file(struct celltap_journal_reader *reader)
{
    if (reader->file >= 0)
        reader->files->close(reader->files->arg, reader->file);
    reader->file = -1;
    reader->window_bytes = 0;
    reader->window_at = 0;
    entries_forget(&reader->entries);
}

/* Opens the segment segment_ix and reads its head. */
static int reader_open_segment(struct celltap_journal_reader *reader,
                               struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    struct segment_head head;
    const unsigned char *bytes;
    size_t n;
    reader_close_file(reader);
    folder_path(path, reader->directory, reader_segment(reader), FOLDER_SEGMENT);
    reader->position = reader_segment(reader);
    reader->file = reader->files->open(reader->files->arg, path, false);
    if (reader->file == -ENOENT) /* since the folder was listed */
        return folder_fail(
            reterr, CELLTAP_EGONE, 0,
            "%s is not kept any more: retain_bytes or retain_age has just removed it", path);
    if (reader->file < 0)
        return folder_fail(reterr, CELLTAP_EGONE, reader->file, "%s", path);
    int code = reader_look(reader, 0, SEGMENT_HEAD_BYTES, &bytes, &n, reterr);
    if (code != 0)
        return code;
    const char *fault = segment_get_head(bytes, n, reader_segment(reader), &head);
    if (fault != NULL)
        return reader_stop(reader, fault, reterr);
    reader->epoch = head.epoch;
    reader->position += SEGMENT_HEAD_BYTES;
    return 0;
}

int celltap_journal_entry_next(celltap_journal_reader *reader,
                               struct celltap_journal_entry *ret_entry)
{
    return entries_next(&reader->entries, ret_entry);
}

/* ---- records ------------------------------------------------------------------------------ */

/* Looks whether segments have come since; 1: the next one is open, 0: none. */
static int reader_next_segment(struct celltap_journal_reader *reader,
                               struct celltap_journal_error *reterr)
{
    if (reader->segment_ix + 1 == reader->n_segments) {
        uint64_t *segments, now = reader_segment(reader);
        size_t n, ix = 0;
        int code =
            folder_list(reader->files, reader->directory, FOLDER_SEGMENT, &segments, &n, reterr);
        if (code != 0)
            return code;
        while (ix < n && segments[ix] <= now)
            ix++;
        if (ix == n) {
            alloc_free(segments);
            return 0;
        }
        /* The last one that is done stays in front, so that the index before it is valid. */
        alloc_free(reader->segments);
        reader->segments = segments;
        reader->n_segments = n;
        if (ix == 0)
            return folder_fail(reterr, CELLTAP_EGONE, 0,
                               "the journal from %" PRIu64 " on is not kept any more", now);
        reader->segment_ix = ix - 1;
    }
    if (reader->segments[reader->segment_ix + 1] != reader->position)
        return reader_stop(reader, "what stood between this segment and the next is missing",
                           reterr);
    reader->segment_ix++;
    int code = reader_open_segment(reader, reterr);
    return code == 0 ? 1 : code;
}

int reader_next_strict(celltap_journal_reader *reader, struct celltap_journal_error *reterr)
{
    const unsigned char *bytes;
    size_t n;
    int code = 0;
    entries_skip(&reader->entries);
    if (reader->stopped)
        return reader_stop(reader, reader->fault.reason, reterr);
    if (reader->position == reader_segment(reader)) /* its head was not whole yet */
        code = reader_open_segment(reader, reterr);
    if (code != 0)
        return code;
    for (;;) {
        uint64_t offset = reader->position - reader_segment(reader);
        code = reader_look(reader, offset, SEGMENT_RECORD_HEAD, &bytes, &n, reterr);
        if (code != 0)
            return code;
        if (n > 0)
            break;
        code = reader_next_segment(reader, reterr);
        if (code != 1)
            return code;
    }
    const char *fault = segment_get_record_head(bytes, n, reader->position, &reader->record);
    if (fault != NULL)
        return reader_stop(reader, fault, reterr);
    code = reader_look(reader, reader->position - reader_segment(reader), reader->record.n_bytes,
                       &bytes, &n, reterr);
    if (code != 0)
        return code;
    if (n < reader->record.n_bytes)
        return reader_stop(reader, "the file ends inside a record", reterr);
    fault = segment_check_record(bytes, &reader->record);
    if (fault == NULL)
        fault = entries_begin(&reader->entries, bytes + SEGMENT_RECORD_HEAD, bytes + n,
                              reader->record.n_entries, &code);
    if (code != 0)
        return folder_fail(reterr, code, 0, "out of memory");
    if (fault != NULL)
        return reader_stop(reader, fault, reterr);
    reader->position += n;
    return 1;
}

int celltap_journal_reader_next(celltap_journal_reader *reader,
                                struct celltap_journal_error *reterr)
{
    bool was = false;
    if (reader->n_segments == 0)
        return 0;
    int code = reader_next_strict(reader, reterr);
    if (code != CELLTAP_EDAMAGED || strcmp(reader->fault.reason, SEGMENT_OTHER_VERSION) == 0)
        return code;
    struct celltap_journal_error ignored;
    if (reader_was_synced(reader, &was, &ignored) != 0 || was)
        return code;
    reader->stopped = false; /* it may be whole when looked at again: a daemon is writing it */
    reader->window_bytes = 0;
    return 0;
}

/* ---- opening ------------------------------------------------------------------------------ */

int celltap_journal_reader_open(const struct celltap_files *files, const char *directory,
                                uint64_t position, celltap_journal_reader **ret_reader,
                                struct celltap_journal_error *reterr)
{
    int code;
    size_t n = strlen(directory);
    if (n + 64 > FOLDER_PATH_MAX)
        return folder_fail(reterr, CELLTAP_EINVAL, 0, "the directory's name is too long");
    struct celltap_journal_reader *reader = alloc_new(1, sizeof *reader + n + 1);
    if (reader == NULL)
        return folder_fail(reterr, CELLTAP_ENOMEM, 0, "out of memory");
    memcpy(reader->directory, directory, n + 1);
    reader->files = files;
    reader->file = -1;
    code = folder_list(files, directory, FOLDER_SEGMENT, &reader->segments, &reader->n_segments,
                       reterr);
    if (code != 0)
        goto fail;
    if (reader->n_segments > 0 && position != 0 && reader->segments[0] > position) {
        code = folder_fail(reterr, CELLTAP_EGONE, 0,
                           "the journal begins at %" PRIu64 ", %" PRIu64 " is not kept any more",
                           reader->segments[0], position);
        goto fail;
    }
    while (reader->segment_ix + 1 < reader->n_segments &&
           reader->segments[reader->segment_ix + 1] <= position)
        reader->segment_ix++;
    if (reader->n_segments > 0)
        code = reader_open_segment(reader, reterr);
    /* From the segment's beginning, for the streams that it defines. */
    while (code == 0 && reader->position < position) {
        code = celltap_journal_reader_next(reader, reterr);
        if (code != 1)
            break;
        code = 0;
        entries_skip(&reader->entries);
    }
    if (code < 0 && !(code == CELLTAP_EDAMAGED && position == 0))
        goto fail;
    *ret_reader = reader;
    return 0;
fail:
    celltap_journal_reader_close(reader);
    return code;
}

void celltap_journal_reader_close(celltap_journal_reader *reader)
{
    if (reader == NULL)
        return;
    reader_close_file(reader);
    entries_done(&reader->entries);
    alloc_free(reader->segments);
    alloc_free(reader->window);
    alloc_free(reader);
}

/* ---- faults ------------------------------------------------------------------------------- */

struct reader_fault reader_fault(const celltap_journal_reader *reader)
{
    return reader->fault;
}

uint64_t celltap_journal_reader_position(const celltap_journal_reader *reader)
{
    return reader->position;
}

/* Size of a segment's file; 0 if it has none. */
static uint64_t reader_segment_bytes(const struct celltap_journal_reader *reader, size_t ix)
{
    char path[FOLDER_PATH_MAX];
    folder_path(path, reader->directory, reader->segments[ix], FOLDER_SEGMENT);
    int file = reader->files->open(reader->files->arg, path, false);
    int64_t n_bytes = file >= 0 ? reader->files->size(reader->files->arg, file) : 0;
    if (file >= 0)
        reader->files->close(reader->files->arg, file);
    return n_bytes > 0 ? (uint64_t)n_bytes : 0;
}

uint64_t celltap_journal_reader_end(const celltap_journal_reader *reader)
{
    size_t n = reader->n_segments;
    return n > 0 ? reader->segments[n - 1] + reader_segment_bytes(reader, n - 1) : 0;
}

uint64_t reader_behind(const celltap_journal_reader *reader)
{
    uint64_t end = celltap_journal_reader_end(reader);
    return end > reader->position ? end - reader->position : 0;
}

uint64_t reader_epoch(const celltap_journal_reader *reader)
{
    return reader->epoch;
}

uint32_t reader_n_entries(const celltap_journal_reader *reader)
{
    return reader->record.n_entries;
}

size_t reader_n_segments(const celltap_journal_reader *reader)
{
    return reader->n_segments;
}

/* Whether a whole record in these bytes says that the journal was synced beyond `bad`. */
static bool reader_says_synced(const unsigned char *bytes, size_t n_bytes, uint64_t segment,
                               size_t from, uint64_t bad)
{
    struct segment_record record;
    for (size_t at = from; at + SEGMENT_RECORD_HEAD <= n_bytes; at++) {
        const unsigned char *found =
            memchr(bytes + at, 'C', n_bytes - SEGMENT_RECORD_HEAD - at + 1);
        if (found == NULL)
            return false;
        at = (size_t)(found - bytes);
        if (segment_get_record_head(found, n_bytes - at, segment + at, &record) == NULL &&
            record.n_bytes <= n_bytes - at && record.synced > bad &&
            segment_check_record(found, &record) == NULL)
            return true;
    }
    return false;
}

int reader_was_synced(celltap_journal_reader *reader, bool *ret_was,
                      struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    uint64_t bad = reader->position;
    *ret_was = false;
    for (size_t ix = reader->segment_ix; ix < reader->n_segments && !*ret_was; ix++) {
        struct segment_head head;
        unsigned char *bytes;
        size_t n_bytes;
        folder_path(path, reader->directory, reader->segments[ix], FOLDER_SEGMENT);
        int code = folder_read(reader->files, path, &bytes, &n_bytes, reterr);
        if (code != 0)
            return code;
        bool first = ix == reader->segment_ix;
        if (!first && segment_get_head(bytes, n_bytes, reader->segments[ix], &head) == NULL &&
            head.synced > bad)
            *ret_was = true;
        size_t from = first ? (size_t)(bad - reader->segments[ix]) : 0;
        *ret_was = *ret_was || reader_says_synced(bytes, n_bytes, reader->segments[ix], from, bad);
        alloc_free(bytes);
    }
    return 0;
}
