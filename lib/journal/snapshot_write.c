/* snapshot_write.c - a snapshot made: streams into slices, slices into a file, the file to its name.
 *
 *     put --> slice ==write==> <position>.snap.new   |  head | slice | slice | ...
 *     put --> slice                                     ^ store: the head, sync, rename
 *
 * The head has the length, the number of streams and the checksum of all behind it, so it is written
 * last; the checksum is made slice by slice.  Streams may be put while frames go on: each carries the
 * seq of its own states, and whoever replays leaves out what a stream has already.  However many
 * streams there are, memory is that of the caller's slices. */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/le.h"
#include "lib/journal/crc.h"
#include "lib/journal/folder.h"
#include "lib/journal/snapshot.h"

/* So much is synced at once: whoever syncs another file meanwhile, as the journal's writer does, may
 * have to wait until the disk has it. */
#define SNAPSHOT_SYNC_BYTES ((uint64_t)8 << 20)

struct celltap_snapshot_slice {
    unsigned char *bytes; /* [n_room] owned */
    size_t n_bytes, n_room;
    uint64_t n_streams;
};

struct celltap_snapshot_writer {
    const struct celltap_files *files;
    uint64_t position, epoch, n_streams, n_bytes, n_synced;
    uint32_t sum; /* of the streams */
    bool begun;
    struct folder_file file;
    char directory[];
};

/* ---- slices ------------------------------------------------------------------------------- */

int celltap_snapshot_slice_new(size_t n_bytes, celltap_snapshot_slice **ret_slice)
{
    struct celltap_snapshot_slice *slice = alloc_new(1, sizeof *slice);
    if (slice == NULL)
        return CELLTAP_ENOMEM;
    slice->bytes = alloc_new(n_bytes, 1);
    if (slice->bytes == NULL) {
        alloc_free(slice);
        return CELLTAP_ENOMEM;
    }
    slice->n_room = n_bytes;
    *ret_slice = slice;
    return 0;
}

void celltap_snapshot_slice_free(celltap_snapshot_slice *slice)
{
    if (slice == NULL)
        return;
    alloc_free(slice->bytes);
    alloc_free(slice);
}

/* 1; 0: the slice is to be written first. */
static int slice_make_room(struct celltap_snapshot_slice *slice, size_t n_bytes)
{
    if (n_bytes <= slice->n_room - slice->n_bytes)
        return 1;
    if (slice->n_bytes > 0)
        return 0;
    unsigned char *bytes = alloc_resize(slice->bytes, n_bytes);
    if (bytes == NULL)
        return CELLTAP_ENOMEM;
    slice->bytes = bytes;
    slice->n_room = n_bytes;
    return 1;
}

static uint32_t slice_flags(const struct celltap_snapshot_stream *stream)
{
    return (stream->reset_next ? SNAPSHOT_RESET : 0) | (stream->rewarm_next ? SNAPSHOT_REWARM : 0) |
           (stream->born_next ? SNAPSHOT_BORN : 0) |
           (stream->detector_hash != 0 ? SNAPSHOT_WATCHED : 0);
}

int celltap_snapshot_put(celltap_snapshot_slice *slice,
                         const struct celltap_snapshot_stream *stream, const celltap_stream *state)
{
    size_t n_bytes = SNAPSHOT_STREAM_HEAD + stream->name_bytes +
                     (stream->detector_hash != 0 ? 8 : 0) + stream->n_held * sizeof(float) +
                     stream->state_bytes;
    int code = slice_make_room(slice, n_bytes);
    if (code != 1)
        return code;
    unsigned char *at = slice->bytes + slice->n_bytes;
    const uint64_t numbers[6] = {stream->model_hash, stream->seq,          (uint64_t)stream->ts_ns,
                                 stream->n_frames,   stream->n_duplicates, stream->n_gaps};
    for (size_t i = 0; i < 6; i++, at += 8)
        le_put64(at, numbers[i]);
    le_put32(at, slice_flags(stream));
    le_put32(at + 4, (uint32_t)stream->n_held);
    le_put32(at + 8, (uint32_t)stream->state_bytes);
    at[12] = (unsigned char)stream->name_bytes;
    memcpy(at + 13, stream->name, stream->name_bytes);
    at += 13 + stream->name_bytes;
    if (stream->detector_hash != 0) {
        le_put64(at, stream->detector_hash);
        at += 8;
    }
    for (size_t i = 0; i < stream->n_held; i++, at += sizeof(float)) {
        float value;
        memcpy(&value, stream->held + i * sizeof value, sizeof value);
        le_put_floats(at, &value, 1);
    }
    celltap_stream_save(state, at);
    slice->n_bytes += n_bytes;
    slice->n_streams++;
    return 1;
}

/* ---- the file ----------------------------------------------------------------------------- */

int celltap_snapshot_writer_new(const struct celltap_files *files, const char *directory,
                                uint64_t position, uint64_t epoch,
                                celltap_snapshot_writer **ret_writer)
{
    size_t n = strlen(directory);
    if (n + 64 > FOLDER_PATH_MAX)
        return CELLTAP_EINVAL;
    struct celltap_snapshot_writer *writer = alloc_new(1, sizeof *writer + n + 1);
    if (writer == NULL)
        return CELLTAP_ENOMEM;
    memcpy(writer->directory, directory, n + 1);
    writer->files = files;
    writer->position = position;
    writer->epoch = epoch;
    writer->n_bytes = SNAPSHOT_HEAD_BYTES;
    writer->file.file = -1;
    *ret_writer = writer;
    return 0;
}

void celltap_snapshot_writer_free(celltap_snapshot_writer *writer)
{
    if (writer == NULL)
        return;
    folder_drop(&writer->file);
    alloc_free(writer);
}

uint64_t celltap_snapshot_writer_bytes(const celltap_snapshot_writer *writer)
{
    return writer->n_bytes;
}

static int writer_begin(struct celltap_snapshot_writer *writer,
                        struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    if (writer->begun)
        return 0;
    folder_path(path, writer->directory, writer->position, FOLDER_SNAPSHOT);
    int code = folder_begin(writer->files, path, &writer->file, reterr);
    writer->begun = code == 0;
    return code;
}

int celltap_snapshot_write(celltap_snapshot_writer *writer, celltap_snapshot_slice *slice,
                           struct celltap_journal_error *reterr)
{
    int code = writer_begin(writer, reterr);
    if (code == 0)
        code = folder_write(&writer->file, slice->bytes, slice->n_bytes, writer->n_bytes, reterr);
    if (code != 0)
        return code;
    writer->sum = crc(writer->sum, slice->bytes, slice->n_bytes);
    writer->n_bytes += slice->n_bytes;
    writer->n_streams += slice->n_streams;
    slice->n_bytes = 0;
    slice->n_streams = 0;
    if (writer->n_bytes - writer->n_synced < SNAPSHOT_SYNC_BYTES)
        return 0;
    writer->n_synced = writer->n_bytes;
    return folder_sync(&writer->file, reterr);
}

int celltap_snapshot_store(celltap_snapshot_writer *writer, struct celltap_journal_error *reterr)
{
    unsigned char head[SNAPSHOT_HEAD_BYTES];
    memcpy(head, SNAPSHOT_MAGIC, 8);
    le_put32(head + 12, SNAPSHOT_VERSION);
    le_put64(head + 16, writer->n_bytes);
    le_put64(head + 24, writer->position);
    le_put64(head + 32, writer->epoch);
    le_put64(head + 40, writer->n_streams);
    uint32_t sum = crc(0, head + SNAPSHOT_SUMMED, sizeof head - SNAPSHOT_SUMMED);
    le_put32(head + 8, crc_join(sum, writer->sum, writer->n_bytes - sizeof head));
    int code = writer_begin(writer, reterr);
    if (code == 0)
        code = folder_write(&writer->file, head, sizeof head, 0, reterr);
    return code == 0 ? folder_finish(&writer->file, writer->directory, reterr) : code;
}
