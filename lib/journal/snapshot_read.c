/* snapshot_read.c - a snapshot from front to back: looked at as a whole, then stream by stream.
 *
 *     file     | head | stream | stream | stream | ...
 *     window                |------------|           grows with the longest stream
 *
 * Opening reads every byte, for the checksum and for where the streams end, so that nobody takes
 * states from a file that is not whole; the streams are read again as they are asked for. */
#include <errno.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/le.h"
#include "lib/journal/crc.h"
#include "lib/journal/folder.h"
#include "lib/journal/snapshot.h"

#define SNAPSHOT_WINDOW_BYTES ((size_t)256 * 1024)

struct celltap_snapshot {
    const struct celltap_files *files;
    int file; /* -1: none */
    uint64_t position, epoch, n_streams, n_bytes;
    uint64_t at;           /* of the next stream */
    unsigned char *window; /* [window_room] owned */
    uint64_t window_at;    /* offset in the file */
    size_t window_bytes, window_room;
    char path[FOLDER_PATH_MAX];
};

/* ---- the window --------------------------------------------------------------------------- */

static int snapshot_make_window(struct celltap_snapshot *snapshot, size_t n_bytes,
                                struct celltap_journal_error *reterr)
{
    if (n_bytes <= snapshot->window_room)
        return 0;
    size_t room = n_bytes > SNAPSHOT_WINDOW_BYTES ? n_bytes : SNAPSHOT_WINDOW_BYTES;
    unsigned char *window = alloc_new(room, 1);
    if (window == NULL)
        return folder_fail(reterr, CELLTAP_ENOMEM, 0, "%s: out of memory", snapshot->path);
    alloc_free(snapshot->window);
    snapshot->window = window;
    snapshot->window_room = room;
    snapshot->window_bytes = 0;
    return 0;
}

/* n_bytes from an offset on, which the file had when it was opened. */
static int snapshot_look(struct celltap_snapshot *snapshot, uint64_t at, size_t n_bytes,
                         const unsigned char **ret_bytes, struct celltap_journal_error *reterr)
{
    if (at < snapshot->window_at || at + n_bytes > snapshot->window_at + snapshot->window_bytes) {
        int code = snapshot_make_window(snapshot, n_bytes, reterr);
        if (code != 0)
            return code;
        int64_t got = snapshot->files->read(snapshot->files->arg, snapshot->file, snapshot->window,
                                            snapshot->window_room, at);
        snapshot->window_at = at;
        snapshot->window_bytes = got > 0 ? (size_t)got : 0;
        if (snapshot->window_bytes < n_bytes)
            return folder_fail(reterr, CELLTAP_EIO, got < 0 ? (int)got : EIO, "%s", snapshot->path);
    }
    *ret_bytes = snapshot->window + (at - snapshot->window_at);
    return 0;
}

static int snapshot_damaged(const struct celltap_snapshot *snapshot, const char *fault,
                            struct celltap_journal_error *reterr)
{
    return folder_fail(reterr, CELLTAP_EDAMAGED, 0, "%s: %s", snapshot->path, fault);
}

/* ---- streams ------------------------------------------------------------------------------ */

static uint64_t snapshot_stream_bytes(const unsigned char *head)
{
    return SNAPSHOT_STREAM_HEAD + (uint64_t)head[60] +
           (le_get32(head + 48) & SNAPSHOT_WATCHED ? 8 : 0) +
           (uint64_t)le_get32(head + 52) * sizeof(float) + le_get32(head + 56);
}

static void snapshot_get(const unsigned char *at, struct celltap_snapshot_stream *ret_stream)
{
    uint32_t flags = le_get32(at + 48);
    *ret_stream = (struct celltap_snapshot_stream){
        .model_hash = le_get64(at),
        .seq = le_get64(at + 8),
        .ts_ns = (int64_t)le_get64(at + 16),
        .n_frames = le_get64(at + 24),
        .n_duplicates = le_get64(at + 32),
        .n_gaps = le_get64(at + 40),
        .reset_next = (flags & SNAPSHOT_RESET) != 0,
        .rewarm_next = (flags & SNAPSHOT_REWARM) != 0,
        .born_next = (flags & SNAPSHOT_BORN) != 0,
        .n_held = le_get32(at + 52),
        .state_bytes = le_get32(at + 56),
        .name_bytes = at[60],
        .name = (const char *)at + SNAPSHOT_STREAM_HEAD,
    };
    at += SNAPSHOT_STREAM_HEAD + ret_stream->name_bytes;
    if (flags & SNAPSHOT_WATCHED) {
        ret_stream->detector_hash = le_get64(at);
        at += 8;
    }
    ret_stream->held = at;
    ret_stream->state = at + ret_stream->n_held * sizeof(float);
}

int celltap_snapshot_next(celltap_snapshot *snapshot, struct celltap_snapshot_stream *ret_stream,
                          struct celltap_journal_error *reterr)
{
    static const char beyond[] = "a stream reaches beyond its end";
    const unsigned char *bytes;
    uint64_t left = snapshot->n_bytes - snapshot->at;
    if (left == 0)
        return 0;
    if (left < SNAPSHOT_STREAM_HEAD)
        return snapshot_damaged(snapshot, beyond, reterr);
    int code = snapshot_look(snapshot, snapshot->at, SNAPSHOT_STREAM_HEAD, &bytes, reterr);
    if (code != 0)
        return code;
    uint64_t n_bytes = snapshot_stream_bytes(bytes);
    if (n_bytes > left)
        return snapshot_damaged(snapshot, beyond, reterr);
    code = snapshot_look(snapshot, snapshot->at, (size_t)n_bytes, &bytes, reterr);
    if (code != 0)
        return code;
    snapshot_get(bytes, ret_stream);
    snapshot->at += n_bytes;
    return 1;
}

/* ---- opening ------------------------------------------------------------------------------ */

/* *ret_sum: of all that it is of. */
static int snapshot_sum(struct celltap_snapshot *snapshot, uint32_t *ret_sum,
                        struct celltap_journal_error *reterr)
{
    const unsigned char *bytes;
    uint32_t sum = 0;
    for (uint64_t at = SNAPSHOT_SUMMED; at < snapshot->n_bytes;) {
        uint64_t left = snapshot->n_bytes - at;
        size_t n = left < SNAPSHOT_WINDOW_BYTES ? (size_t)left : SNAPSHOT_WINDOW_BYTES;
        int code = snapshot_look(snapshot, at, n, &bytes, reterr);
        if (code != 0)
            return code;
        sum = crc(sum, bytes, n);
        at += n;
    }
    *ret_sum = sum;
    return 0;
}

static int snapshot_check_head(struct celltap_snapshot *snapshot, uint64_t position,
                               struct celltap_journal_error *reterr)
{
    unsigned char head[SNAPSHOT_HEAD_BYTES];
    const unsigned char *bytes;
    uint32_t sum = 0;
    if (snapshot->n_bytes < SNAPSHOT_HEAD_BYTES)
        return snapshot_damaged(snapshot, "it does not begin like a snapshot", reterr);
    int code = snapshot_look(snapshot, 0, SNAPSHOT_HEAD_BYTES, &bytes, reterr);
    if (code != 0)
        return code;
    memcpy(head, bytes, sizeof head);
    if (memcmp(head, SNAPSHOT_MAGIC, 8) != 0)
        return snapshot_damaged(snapshot, "it does not begin like a snapshot", reterr);
    code = snapshot_sum(snapshot, &sum, reterr);
    if (code != 0)
        return code;
    if (le_get64(head + 16) != snapshot->n_bytes || le_get32(head + 8) != sum)
        return snapshot_damaged(snapshot, "its length or checksum is wrong", reterr);
    if (le_get32(head + 12) != SNAPSHOT_VERSION)
        return snapshot_damaged(snapshot, "it is of another version of celltap", reterr);
    if (le_get64(head + 24) != position)
        return snapshot_damaged(snapshot, "it has another position than its name", reterr);
    snapshot->position = position;
    snapshot->epoch = le_get64(head + 32);
    snapshot->n_streams = le_get64(head + 40);
    return 0;
}

static int snapshot_check_streams(struct celltap_snapshot *snapshot,
                                  struct celltap_journal_error *reterr)
{
    struct celltap_snapshot_stream stream;
    uint64_t n_streams = 0;
    int code;
    snapshot->at = SNAPSHOT_HEAD_BYTES;
    while ((code = celltap_snapshot_next(snapshot, &stream, reterr)) == 1)
        n_streams++;
    if (code == 0 && n_streams != snapshot->n_streams)
        return snapshot_damaged(snapshot, "it has another number of streams than its head says",
                                reterr);
    snapshot->at = SNAPSHOT_HEAD_BYTES;
    return code;
}

int celltap_snapshot_open(const struct celltap_files *files, const char *directory,
                          uint64_t position, celltap_snapshot **ret_snapshot,
                          struct celltap_journal_error *reterr)
{
    struct celltap_snapshot *snapshot = alloc_new(1, sizeof *snapshot);
    if (snapshot == NULL)
        return folder_fail(reterr, CELLTAP_ENOMEM, 0, "out of memory");
    folder_path(snapshot->path, directory, position, FOLDER_SNAPSHOT);
    snapshot->files = files;
    snapshot->file = files->open(files->arg, snapshot->path, false);
    int64_t n_bytes = snapshot->file >= 0 ? files->size(files->arg, snapshot->file) : 0;
    int code = 0;
    if (snapshot->file < 0)
        code = folder_fail(reterr, snapshot->file == -ENOENT ? CELLTAP_EGONE : CELLTAP_EIO,
                           snapshot->file, "%s", snapshot->path);
    else if (n_bytes < 0)
        code = folder_fail(reterr, CELLTAP_EIO, (int)n_bytes, "%s", snapshot->path);
    else
        snapshot->n_bytes = (uint64_t)n_bytes;
    if (code == 0)
        code = snapshot_check_head(snapshot, position, reterr);
    if (code == 0)
        code = snapshot_check_streams(snapshot, reterr);
    if (code != 0) {
        celltap_snapshot_close(snapshot);
        return code;
    }
    *ret_snapshot = snapshot;
    return 0;
}

void celltap_snapshot_close(celltap_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    if (snapshot->file >= 0)
        snapshot->files->close(snapshot->files->arg, snapshot->file);
    alloc_free(snapshot->window);
    alloc_free(snapshot);
}

uint64_t celltap_snapshot_position(const celltap_snapshot *snapshot)
{
    return snapshot->position;
}

uint64_t celltap_snapshot_epoch(const celltap_snapshot *snapshot)
{
    return snapshot->epoch;
}

uint64_t celltap_snapshot_bytes(const celltap_snapshot *snapshot)
{
    return snapshot->n_bytes;
}
