/* snapshot.c - the states of all streams as of a position: made, stored, loaded, walked.
 *
 *     | "CELLTAPS" | crc 4 | version 4 | n_bytes 8 | position 8 | epoch 8 | n_streams 8 | streams
 *
 *     stream   | hash 8 | seq 8 | ts 8 | frames 8 | duplicates 8 | gaps 8 | flags 4 | n_held 4 |
 *              | state_bytes 4 | name_bytes 1 | name | [watched: hash 8] | held, 4 each | state |
 *
 * Little-endian; the CRC is of everything behind it.  Streams may be put while frames go on: each
 * carries the seq of its own states, and whoever replays leaves out what a stream has already.  A
 * loaded one has been looked at as a whole, so that walking it cannot fail. */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/le.h"
#include "lib/journal/crc.h"
#include "lib/journal/folder.h"

#define SNAPSHOT_MAGIC       "CELLTAPS"
#define SNAPSHOT_VERSION     1
#define SNAPSHOT_HEAD_BYTES  48
#define SNAPSHOT_STREAM_HEAD 61
#define SNAPSHOT_RESET       1u /* flags */
#define SNAPSHOT_WATCHED     2u
#define SNAPSHOT_REWARM      4u
#define SNAPSHOT_BORN        8u
#define SNAPSHOT_BYTES       ((size_t)64 * 1024) /* to begin with */

struct celltap_snapshot {
    uint64_t position, epoch, n_streams;
    unsigned char *bytes; /* [n_room] owned */
    size_t n_bytes, n_room;
};

int celltap_snapshot_new(uint64_t position, uint64_t epoch, celltap_snapshot **ret_snapshot)
{
    struct celltap_snapshot *snapshot = alloc_new(1, sizeof *snapshot);
    if (snapshot == NULL)
        return CELLTAP_ENOMEM;
    snapshot->bytes = alloc_new(SNAPSHOT_BYTES, 1);
    if (snapshot->bytes == NULL) {
        alloc_free(snapshot);
        return CELLTAP_ENOMEM;
    }
    snapshot->n_room = SNAPSHOT_BYTES;
    snapshot->n_bytes = SNAPSHOT_HEAD_BYTES;
    snapshot->position = position;
    snapshot->epoch = epoch;
    *ret_snapshot = snapshot;
    return 0;
}

void celltap_snapshot_free(celltap_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    alloc_free(snapshot->bytes);
    alloc_free(snapshot);
}

static int snapshot_make_room(struct celltap_snapshot *snapshot, size_t n_bytes)
{
    size_t room = snapshot->n_room;
    while (room - snapshot->n_bytes < n_bytes)
        room *= 2;
    if (room == snapshot->n_room)
        return 0;
    /* Large ones are moved by the system page by page: no copy, and what is not used is not there. */
    unsigned char *bytes = alloc_resize(snapshot->bytes, room);
    if (bytes == NULL)
        return CELLTAP_ENOMEM;
    snapshot->bytes = bytes;
    snapshot->n_room = room;
    return 0;
}

static uint32_t snapshot_flags(const struct celltap_snapshot_stream *stream)
{
    return (stream->reset_next ? SNAPSHOT_RESET : 0) | (stream->rewarm_next ? SNAPSHOT_REWARM : 0) |
           (stream->born_next ? SNAPSHOT_BORN : 0) |
           (stream->detector_hash != 0 ? SNAPSHOT_WATCHED : 0);
}

int celltap_snapshot_put(celltap_snapshot *snapshot, const struct celltap_snapshot_stream *stream,
                         const celltap_stream *state)
{
    size_t held_bytes = stream->n_held * sizeof(float);
    int code = snapshot_make_room(snapshot, SNAPSHOT_STREAM_HEAD + stream->name_bytes + 8 +
                                                held_bytes + stream->state_bytes);
    if (code != 0)
        return code;
    unsigned char *at = snapshot->bytes + snapshot->n_bytes;
    const uint64_t numbers[6] = {stream->model_hash, stream->seq,          (uint64_t)stream->ts_ns,
                                 stream->n_frames,   stream->n_duplicates, stream->n_gaps};
    for (size_t i = 0; i < 6; i++, at += 8)
        le_put64(at, numbers[i]);
    le_put32(at, snapshot_flags(stream));
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
    snapshot->n_bytes = (size_t)(at + stream->state_bytes - snapshot->bytes);
    snapshot->n_streams++;
    return 0;
}

size_t celltap_snapshot_bytes(const celltap_snapshot *snapshot)
{
    return snapshot->n_bytes;
}

uint64_t celltap_snapshot_position(const celltap_snapshot *snapshot)
{
    return snapshot->position;
}

uint64_t celltap_snapshot_epoch(const celltap_snapshot *snapshot)
{
    return snapshot->epoch;
}

int celltap_snapshot_store(celltap_snapshot *snapshot, const struct celltap_files *files,
                           const char *directory, struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    unsigned char *bytes = snapshot->bytes;
    memcpy(bytes, SNAPSHOT_MAGIC, 8);
    le_put32(bytes + 12, SNAPSHOT_VERSION);
    le_put64(bytes + 16, snapshot->n_bytes);
    le_put64(bytes + 24, snapshot->position);
    le_put64(bytes + 32, snapshot->epoch);
    le_put64(bytes + 40, snapshot->n_streams);
    le_put32(bytes + 8, crc(0, bytes + 12, snapshot->n_bytes - 12));
    folder_path(path, directory, snapshot->position, FOLDER_SNAPSHOT);
    return folder_store(files, directory, path, bytes, snapshot->n_bytes, reterr);
}

/* ---- loading ------------------------------------------------------------------------------ */

/* The stream at `at`: its size, or 0 if it reaches beyond n_bytes. */
static size_t snapshot_get(const unsigned char *at, size_t n_bytes,
                           struct celltap_snapshot_stream *ret_stream)
{
    if (n_bytes < SNAPSHOT_STREAM_HEAD)
        return 0;
    *ret_stream = (struct celltap_snapshot_stream){
        .model_hash = le_get64(at),
        .seq = le_get64(at + 8),
        .ts_ns = (int64_t)le_get64(at + 16),
        .n_frames = le_get64(at + 24),
        .n_duplicates = le_get64(at + 32),
        .n_gaps = le_get64(at + 40),
        .reset_next = (le_get32(at + 48) & SNAPSHOT_RESET) != 0,
        .rewarm_next = (le_get32(at + 48) & SNAPSHOT_REWARM) != 0,
        .born_next = (le_get32(at + 48) & SNAPSHOT_BORN) != 0,
        .n_held = le_get32(at + 52),
        .state_bytes = le_get32(at + 56),
        .name_bytes = at[60],
        .name = (const char *)at + SNAPSHOT_STREAM_HEAD,
    };
    size_t head = SNAPSHOT_STREAM_HEAD + ret_stream->name_bytes, hash_at = head;
    bool is_watched = (le_get32(at + 48) & SNAPSHOT_WATCHED) != 0;
    head += is_watched ? 8 : 0;
    size_t size = head + ret_stream->n_held * sizeof(float) + ret_stream->state_bytes;
    if (is_watched && head <= n_bytes)
        ret_stream->detector_hash = le_get64(at + hash_at);
    ret_stream->held = at + head;
    ret_stream->state = ret_stream->held + ret_stream->n_held * sizeof(float);
    return size <= n_bytes ? size : 0;
}

static const char *snapshot_check(const unsigned char *bytes, size_t n_bytes, uint64_t position)
{
    struct celltap_snapshot_stream stream;
    if (n_bytes < SNAPSHOT_HEAD_BYTES || memcmp(bytes, SNAPSHOT_MAGIC, 8) != 0)
        return "it does not begin like a snapshot";
    if (le_get64(bytes + 16) != n_bytes || le_get32(bytes + 8) != crc(0, bytes + 12, n_bytes - 12))
        return "its length or checksum is wrong";
    if (le_get32(bytes + 12) != SNAPSHOT_VERSION)
        return "it is of another version of celltap";
    if (le_get64(bytes + 24) != position)
        return "it has another position than its name";
    size_t at = SNAPSHOT_HEAD_BYTES;
    for (uint64_t i = le_get64(bytes + 40); i > 0; i--) {
        size_t size = snapshot_get(bytes + at, n_bytes - at, &stream);
        if (size == 0)
            return "a stream reaches beyond its end";
        at += size;
    }
    return at == n_bytes ? NULL : "it has bytes behind its streams";
}

int celltap_snapshot_load(const struct celltap_files *files, const char *directory,
                          uint64_t position, celltap_snapshot **ret_snapshot,
                          struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    struct celltap_snapshot *snapshot = alloc_new(1, sizeof *snapshot);
    if (snapshot == NULL)
        return folder_fail(reterr, CELLTAP_ENOMEM, 0, "out of memory");
    folder_path(path, directory, position, FOLDER_SNAPSHOT);
    int code = folder_read(files, path, &snapshot->bytes, &snapshot->n_bytes, reterr);
    if (code == 0) {
        const char *fault = snapshot_check(snapshot->bytes, snapshot->n_bytes, position);
        if (fault != NULL)
            code = folder_fail(reterr, CELLTAP_EDAMAGED, 0, "%s: %s", path, fault);
    }
    if (code != 0) {
        celltap_snapshot_free(snapshot);
        return code;
    }
    snapshot->position = position;
    snapshot->epoch = le_get64(snapshot->bytes + 32);
    snapshot->n_streams = le_get64(snapshot->bytes + 40);
    *ret_snapshot = snapshot;
    return 0;
}

int celltap_snapshot_next(const celltap_snapshot *snapshot, size_t *cursor,
                          struct celltap_snapshot_stream *ret_stream)
{
    if (*cursor == 0)
        *cursor = SNAPSHOT_HEAD_BYTES;
    if (*cursor >= snapshot->n_bytes)
        return 0;
    *cursor += snapshot_get(snapshot->bytes + *cursor, snapshot->n_bytes - *cursor, ret_stream);
    return 1;
}
