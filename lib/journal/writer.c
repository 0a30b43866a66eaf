/* writer.c - the journal's end: records made in memory, written, and synced beside the loop.
 *
 *     tail   | synced? ... written ... committed | record being made |     one run of positions
 *            ^ tail_at                           ^ position
 *
 * Happy path: reserve, put, put, ... (the record grows), commit (its head), write (to the files),
 * sync_start, sync_run (another thread), sync_end (what is safe leaves the memory).
 *
 * A write that fails changes nothing: the next one begins at `written` again.  A sync that fails may
 * have lost what was written (the kernel forgets dirty pages then), so `written` goes back to
 * `synced` and everything behind it is written again from memory.  A new segment is begun by its
 * head in the tail; its file is made by the write.  Files stay open until they are synced. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/le.h"
#include "lib/journal/folder.h"
#include "lib/journal/segment.h"

#define WRITER_ENTRY_MAX  (4 + 8 + 4 + 1 + 255 + 8 + 8 + 8) /* bytes of an entry without values */
#define WRITER_FILES      CELLTAP_JOURNAL_SYNC_FILES
#define WRITER_TAIL_BYTES ((size_t)64 * 1024)  /* to begin with */
#define WRITER_IDLE_BYTES ((size_t)256 * 1024) /* an empty tail larger than this is given back */

struct writer_file {
    uint64_t at; /* the segment's position */
    int file;    /* -1: not made yet */
};

struct celltap_journal_writer {
    const struct celltap_files *files;
    uint64_t segment_bytes, epoch;
    bool keep;

    unsigned char *tail; /* [tail_room] owned */
    size_t tail_bytes, tail_room;
    uint64_t tail_at;
    size_t record_at; /* in the tail */
    uint32_t n_entries;
    bool in_record;

    uint64_t position, written, synced;
    uint64_t to_sync;                      /* behind the last record that holds anything */
    uint64_t said_synced;                  /* by the last record */
    uint64_t segment;                      /* position of the current one */
    bool has_segment;                      /* false: the next record begins one */
    uint32_t n_streams;                    /* defined in it */
    struct writer_file open[WRITER_FILES]; /* [n_open], the current one last */
    size_t n_open;
    bool new_file; /* since the last sync of the directory */
    char directory[];
};

int celltap_journal_writer_new(const struct celltap_journal_writer_options *options,
                               celltap_journal_writer **ret_writer)
{
    size_t n = strlen(options->directory);
    if (n + 64 > FOLDER_PATH_MAX)
        return CELLTAP_EINVAL;
    struct celltap_journal_writer *writer = alloc_new(1, sizeof *writer + n + 1);
    if (writer == NULL)
        return CELLTAP_ENOMEM;
    memcpy(writer->directory, options->directory, n + 1);
    writer->files = options->files;
    writer->segment_bytes = options->segment_bytes;
    writer->epoch = options->epoch;
    writer->keep = options->keep;
    writer->tail_at = writer->position = writer->written = writer->synced = options->position;
    writer->to_sync = writer->said_synced = options->position;
    *ret_writer = writer;
    return 0;
}

void celltap_journal_writer_free(celltap_journal_writer *writer)
{
    if (writer == NULL)
        return;
    for (size_t i = 0; i < writer->n_open; i++)
        if (writer->open[i].file >= 0)
            writer->files->close(writer->files->arg, writer->open[i].file);
    alloc_free(writer->tail);
    alloc_free(writer);
}

/* ---- the tail ----------------------------------------------------------------------------- */

static int writer_make_room(struct celltap_journal_writer *writer, size_t n_bytes)
{
    size_t needed = writer->tail_bytes + n_bytes, room = writer->tail_room;
    if (needed <= room)
        return 0;
    if (room == 0)
        room = WRITER_TAIL_BYTES;
    while (room < needed)
        room *= 2;
    /* Large ones are moved by the system page by page: no copy, and never both in memory. */
    unsigned char *tail =
        writer->tail != NULL ? alloc_resize(writer->tail, room) : alloc_new(room, 1);
    if (tail == NULL)
        return CELLTAP_ENOMEM;
    writer->tail = tail;
    writer->tail_room = room;
    return 0;
}

/* What lies before a position is not needed any more. */
static void writer_forget(struct celltap_journal_writer *writer, uint64_t upto)
{
    size_t n = (size_t)(upto - writer->tail_at);
    if (n == 0)
        return;
    memmove(writer->tail, writer->tail + n, writer->tail_bytes - n);
    writer->tail_at = upto;
    writer->tail_bytes -= n;
    if (writer->in_record)
        writer->record_at -= n;
    if (writer->tail_bytes == 0 && writer->tail_room > WRITER_IDLE_BYTES) {
        alloc_free(writer->tail);
        writer->tail = NULL;
        writer->tail_room = 0;
    }
}

/* ---- records ------------------------------------------------------------------------------ */

/* A new segment needs a place among the open files. */
static void writer_begin_segment(struct celltap_journal_writer *writer)
{
    struct segment_head head = {writer->position, writer->synced, writer->epoch};
    segment_put_head(writer->tail + writer->tail_bytes, &head);
    writer->segment = writer->position;
    writer->has_segment = true;
    writer->n_streams = 0;
    writer->open[writer->n_open++] = (struct writer_file){.at = writer->position, .file = -1};
    writer->tail_bytes += SEGMENT_HEAD_BYTES;
    writer->position += SEGMENT_HEAD_BYTES;
}

static void writer_begin_record(struct celltap_journal_writer *writer)
{
    bool full = writer->has_segment && writer->position - writer->segment >= writer->segment_bytes;
    if ((full || !writer->has_segment) && writer->n_open < WRITER_FILES)
        writer_begin_segment(writer);
    writer->in_record = true;
    writer->record_at = writer->tail_bytes;
    writer->n_entries = 0;
    writer->tail_bytes += SEGMENT_RECORD_HEAD;
}

int celltap_journal_reserve(celltap_journal_writer *writer,
                            const struct celltap_journal_stream *stream)
{
    size_t n_bytes = stream->n_values * sizeof(float) + segment_mask_bytes(stream->n_values) +
                     WRITER_ENTRY_MAX + SEGMENT_HEAD_BYTES + SEGMENT_RECORD_HEAD;
    if (!writer->has_segment && writer->n_open == WRITER_FILES)
        return CELLTAP_ENOMEM;
    if (writer->in_record && writer->tail_bytes - writer->record_at + n_bytes > SEGMENT_RECORD_MAX)
        return CELLTAP_ENOMEM;
    return writer_make_room(writer, n_bytes);
}

static unsigned char *writer_put_entry(struct celltap_journal_writer *writer,
                                       const struct celltap_journal_stream *stream, uint32_t flags,
                                       uint64_t seq)
{
    if (!writer->in_record)
        writer_begin_record(writer);
    struct celltap_journal_place *place = stream->place;
    if (place->segment != writer->segment + 1) {
        *place = (struct celltap_journal_place){writer->segment + 1, writer->n_streams++};
        flags |= SEGMENT_DEFINE | (stream->detector_hash != 0 ? SEGMENT_WATCHED : 0);
    }
    unsigned char *at = writer->tail + writer->tail_bytes;
    le_put32(at, place->ix | flags);
    at += 4;
    if (flags & SEGMENT_DEFINE) {
        le_put64(at, stream->model_hash);
        le_put32(at + 8, (uint32_t)stream->n_values);
        at[12] = (unsigned char)stream->name_bytes;
        memcpy(at + 13, stream->name, stream->name_bytes);
        at += 13 + stream->name_bytes;
    }
    if (flags & SEGMENT_WATCHED) {
        le_put64(at, stream->detector_hash);
        at += 8;
    }
    le_put64(at, seq);
    writer->n_entries++;
    return at + 8;
}

static bool writer_any_missing(const struct celltap_journal_frame *frame, size_t n_values)
{
    for (size_t i = 0; frame->sensed != NULL && i < n_values; i++)
        if (isnan(frame->sensed[i]))
            return true;
    return false;
}

static unsigned char *writer_put_missing(unsigned char *at, const float *sensed, size_t n_values)
{
    size_t n_bytes = segment_mask_bytes(n_values);
    memset(at, 0, n_bytes);
    for (size_t i = 0; i < n_values; i++)
        if (isnan(sensed[i]))
            at[i / 8] = (unsigned char)(at[i / 8] | 1u << i % 8);
    return at + n_bytes;
}

void celltap_journal_put(celltap_journal_writer *writer,
                         const struct celltap_journal_stream *stream,
                         const struct celltap_journal_frame *frame)
{
    uint32_t flags = frame->reset ? SEGMENT_RESET : 0;
    if (stream->detector_hash != 0) {
        flags |= frame->born ? SEGMENT_BORN : 0;
        flags |= frame->rewarm ? SEGMENT_REWARM : 0;
        flags |= writer_any_missing(frame, stream->n_values) ? SEGMENT_MISSING : 0;
    }
    unsigned char *at = writer_put_entry(writer, stream, flags, frame->seq);
    le_put64(at, (uint64_t)frame->ts_ns);
    le_put_floats(at + 8, frame->values, stream->n_values);
    at += 8 + stream->n_values * sizeof(float);
    if (flags & SEGMENT_MISSING)
        at = writer_put_missing(at, frame->sensed, stream->n_values);
    writer->tail_bytes = (size_t)(at - writer->tail);
}

void celltap_journal_put_reset(celltap_journal_writer *writer,
                               const struct celltap_journal_stream *stream, uint64_t seq,
                               bool rewarm)
{
    uint32_t flags = SEGMENT_MARK;
    if (rewarm && stream->detector_hash != 0)
        flags |= SEGMENT_REWARM;
    unsigned char *at = writer_put_entry(writer, stream, flags, seq);
    writer->tail_bytes = (size_t)(at - writer->tail);
}

bool celltap_journal_commit(celltap_journal_writer *writer)
{
    if (!writer->in_record)
        return false;
    struct segment_record record = {
        .n_bytes = (uint32_t)(writer->tail_bytes - writer->record_at),
        .n_entries = writer->n_entries,
        .position = writer->position,
        .synced = writer->synced,
    };
    segment_put_record(writer->tail + writer->record_at, &record);
    writer->position += record.n_bytes;
    writer->said_synced = writer->synced;
    if (writer->n_entries > 0)
        writer->to_sync = writer->position;
    writer->in_record = false;
    return true;
}

void celltap_journal_put_synced(celltap_journal_writer *writer)
{
    if (writer->in_record || !writer->has_segment || writer->said_synced == writer->synced ||
        writer_make_room(writer, SEGMENT_RECORD_HEAD + SEGMENT_HEAD_BYTES) != 0)
        return;
    writer_begin_record(writer);
    celltap_journal_commit(writer);
}

void celltap_journal_next_epoch(celltap_journal_writer *writer)
{
    celltap_journal_commit(writer);
    writer->epoch++;
    writer->has_segment = false;
}

/* ---- writing ------------------------------------------------------------------------------ */

static int writer_write_file(struct celltap_journal_writer *writer, struct writer_file *open,
                             uint64_t end, struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    const struct celltap_files *files = writer->files;
    uint64_t from = writer->written > open->at ? writer->written : open->at;
    if (from >= end)
        return 0;
    folder_path(path, writer->directory, open->at, FOLDER_SEGMENT);
    if (open->file < 0) {
        int file = files->open(files->arg, path, true);
        if (file < 0)
            return folder_fail(reterr, CELLTAP_EIO, file, "%s", path);
        open->file = file;
        writer->new_file = true;
    }
    int code = files->write(files->arg, open->file, writer->tail + (from - writer->tail_at),
                            (size_t)(end - from), from - open->at);
    if (code != 0)
        return folder_fail(reterr, CELLTAP_EIO, code, "%s", path);
    writer->written = end;
    return 0;
}

/* Closes the files before the current one that are done with. */
static void writer_close_until(struct celltap_journal_writer *writer, uint64_t upto)
{
    size_t n = 0;
    while (n + 1 < writer->n_open && writer->open[n + 1].at <= upto) {
        if (writer->open[n].file >= 0)
            writer->files->close(writer->files->arg, writer->open[n].file);
        n++;
    }
    writer->n_open -= n;
    memmove(writer->open, writer->open + n, writer->n_open * sizeof writer->open[0]);
}

int celltap_journal_write(celltap_journal_writer *writer, struct celltap_journal_error *reterr)
{
    for (size_t i = 0; i < writer->n_open; i++) {
        uint64_t end = i + 1 < writer->n_open ? writer->open[i + 1].at : writer->position;
        int code = writer_write_file(writer, &writer->open[i], end, reterr);
        if (code != 0)
            return code;
    }
    if (!writer->keep) {
        writer_forget(writer, writer->written);
        if (writer->n_open == WRITER_FILES)
            writer_close_until(writer, writer->written);
    }
    return 0;
}

struct celltap_journal_writer_state
celltap_journal_writer_state(const celltap_journal_writer *writer)
{
    return (struct celltap_journal_writer_state){
        .position = writer->position,
        .written = writer->written,
        .synced = writer->synced,
        .epoch = writer->epoch,
        .n_held_bytes = writer->tail_bytes,
        .to_sync = writer->to_sync > writer->synced,
    };
}

/* ---- syncing ------------------------------------------------------------------------------ */

void celltap_journal_sync_start(celltap_journal_writer *writer,
                                struct celltap_journal_sync *ret_sync)
{
    *ret_sync = (struct celltap_journal_sync){
        .files = writer->files,
        .directory = writer->directory,
        .upto = writer->written,
        .with_directory = writer->new_file,
    };
    for (size_t i = 0; i < writer->n_open; i++)
        if (writer->open[i].file >= 0)
            ret_sync->of[ret_sync->n_files++] = writer->open[i].file;
}

int celltap_journal_sync_run(struct celltap_journal_sync *sync)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < sync->n_files; i++)
        code = sync->files->sync(sync->files->arg, sync->of[i]);
    if (code == 0 && sync->with_directory)
        code = sync->files->sync_dir(sync->files->arg, sync->directory);
    if (code != 0)
        return folder_fail(&sync->error, CELLTAP_EIO, code, "%s", sync->directory);
    return 0;
}

void celltap_journal_sync_end(celltap_journal_writer *writer,
                              const struct celltap_journal_sync *sync, int code)
{
    if (code != 0) {
        if (writer->keep)
            writer->written = writer->synced;
        return;
    }
    writer->synced = sync->upto;
    if (sync->with_directory && writer->n_open > 0 && sync->n_files == writer->n_open)
        writer->new_file = false;
    if (writer->keep)
        writer_forget(writer, writer->synced);
    writer_close_until(writer, writer->synced);
}
