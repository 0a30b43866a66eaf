/* entries.c - what the bytes of a record say: streams that it defines, frames, marks.
 *
 *     | flags, stream's number 4 | [define: hash, values, name] | seq 8 | [ts 8 | values | missing] |
 *
 * A record's entries are walked once as a whole, so that giving them out cannot fail. */
#include "lib/journal/entries.h"

#include <math.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/le.h"
#include "lib/journal/segment.h"

struct entries_stream {
    uint64_t model_hash, detector_hash;
    size_t n_values;
    void *tag;
    uint16_t name_bytes;
    char name[]; /* NUL behind */
};

/* ---- streams ------------------------------------------------------------------------------ */

void entries_forget(struct entries *entries)
{
    for (size_t i = 0; i < entries->n_streams; i++)
        alloc_free(entries->streams[i]);
    entries->n_streams = 0;
    entries_skip(entries);
}

void entries_done(struct entries *entries)
{
    entries_forget(entries);
    alloc_free(entries->streams);
    *entries = (struct entries){0};
}

static int entries_make_room(struct entries *entries)
{
    if (entries->n_streams < entries->n_room)
        return 0;
    size_t n_room = entries->n_room != 0 ? 2 * entries->n_room : 64;
    struct entries_stream **streams = alloc_new(n_room, sizeof *streams);
    if (streams == NULL)
        return CELLTAP_ENOMEM;
    if (entries->n_streams > 0)
        memcpy(streams, entries->streams, entries->n_streams * sizeof *streams);
    alloc_free(entries->streams);
    entries->streams = streams;
    entries->n_room = n_room;
    return 0;
}

/* Bytes of a definition; 0: it reaches beyond the end. */
static size_t entries_define_bytes(const unsigned char *at, const unsigned char *end, uint32_t word)
{
    if (end - at < 13)
        return 0;
    size_t n_bytes = 13 + (size_t)at[12] + (word & SEGMENT_WATCHED ? 8 : 0);
    return (size_t)(end - at) < n_bytes ? 0 : n_bytes;
}

static int entries_define(struct entries *entries, const unsigned char *at, uint32_t word)
{
    struct entries_stream *stream = NULL;
    size_t name_bytes = at[12];
    if (entries_make_room(entries) == 0)
        stream = alloc_new(1, sizeof *stream + name_bytes + 1);
    if (stream == NULL)
        return CELLTAP_ENOMEM;
    stream->model_hash = le_get64(at);
    stream->n_values = le_get32(at + 8);
    stream->name_bytes = (uint16_t)name_bytes;
    memcpy(stream->name, at + 13, name_bytes);
    if (word & SEGMENT_WATCHED)
        stream->detector_hash = le_get64(at + 13 + name_bytes);
    entries->streams[entries->n_streams++] = stream;
    return 0;
}

/* ---- a record ----------------------------------------------------------------------------- */

/* Bytes of an entry behind its definition. */
static size_t entries_entry_bytes(const struct entries_stream *stream, uint32_t word)
{
    if (word & SEGMENT_MARK)
        return 8;
    return 16 + stream->n_values * sizeof(float) +
           (word & SEGMENT_MISSING ? segment_mask_bytes(stream->n_values) : 0);
}

const char *entries_begin(struct entries *entries, const unsigned char *at,
                          const unsigned char *end, uint32_t n_entries, int *ret_code)
{
    static const char outside[] = "an entry reaches beyond its record";
    const unsigned char *first = at;
    entries_skip(entries);
    *ret_code = 0;
    for (uint32_t i = 0; i < n_entries; i++) {
        if (end - at < 4)
            return outside;
        uint32_t word = le_get32(at), ix = word & SEGMENT_IX_MAX;
        if (word & ~(uint32_t)(SEGMENT_FLAGS | SEGMENT_IX_MAX))
            return "an entry has unknown flags";
        at += 4;
        if (word & SEGMENT_DEFINE) {
            size_t n_bytes = entries_define_bytes(at, end, word);
            if (n_bytes == 0)
                return outside;
            if (ix != entries->n_streams)
                return "a stream is defined out of order";
            *ret_code = entries_define(entries, at, word);
            if (*ret_code != 0)
                return "out of memory";
            at += n_bytes;
        }
        if (ix >= entries->n_streams)
            return "a stream is used before it is defined";
        size_t n_bytes = entries_entry_bytes(entries->streams[ix], word);
        if ((size_t)(end - at) < n_bytes)
            return outside;
        at += n_bytes;
    }
    if (at != end)
        return "a record has bytes behind its entries";
    entries->at = first;
    entries->end = end;
    return NULL;
}

int entries_next(struct entries *entries, struct celltap_journal_entry *ret_entry)
{
    if (entries->at >= entries->end)
        return 0;
    const unsigned char *at = entries->at;
    uint32_t word = le_get32(at);
    struct entries_stream *stream = entries->streams[word & SEGMENT_IX_MAX];
    at += 4;
    if (word & SEGMENT_DEFINE)
        at += entries_define_bytes(at, entries->end, word);
    *ret_entry = (struct celltap_journal_entry){
        .stream = stream->name,
        .stream_bytes = stream->name_bytes,
        .tag = &stream->tag,
        .model_hash = stream->model_hash,
        .detector_hash = stream->detector_hash,
        .seq = le_get64(at),
        .reset = (word & SEGMENT_RESET) != 0,
        .mark = (word & SEGMENT_MARK) != 0,
        .born = (word & SEGMENT_BORN) != 0,
        .rewarm = (word & SEGMENT_REWARM) != 0,
        .n_values = stream->n_values,
    };
    if (!ret_entry->mark) {
        ret_entry->ts_ns = (int64_t)le_get64(at + 8);
        ret_entry->values = at + 16;
    }
    if (!ret_entry->mark && (word & SEGMENT_MISSING))
        ret_entry->missing = ret_entry->values + stream->n_values * sizeof(float);
    entries->at = at + entries_entry_bytes(stream, word);
    return 1;
}

void entries_skip(struct entries *entries)
{
    entries->at = entries->end = NULL;
}

/* ---- values ------------------------------------------------------------------------------- */

void celltap_journal_entry_values(const struct celltap_journal_entry *entry, float *ret_values)
{
    le_get_floats(entry->values, ret_values, entry->n_values);
}

void celltap_journal_entry_sensed(const struct celltap_journal_entry *entry, float *ret_values)
{
    le_get_floats(entry->values, ret_values, entry->n_values);
    for (size_t i = 0; entry->missing != NULL && i < entry->n_values; i++)
        if (entry->missing[i / 8] >> i % 8 & 1)
            ret_values[i] = NAN;
}
