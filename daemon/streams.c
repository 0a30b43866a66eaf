/* streams.c - the streams that exist, by name: open addressing over a dense list.
 *
 * The slots hold hashes, so that a search touches a stream's memory only when it is the one.  Both
 * arrays double when they are full: the cost of an addition is constant on average. */
#include "daemon/streams.h"

#include <stdlib.h>
#include <string.h>

#define STREAMS_SLOTS_MIN 64

/* FNV-1a, folded: names are short. */
static uint32_t streams_hash(const char *name, size_t name_bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name_bytes; i++)
        hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3u;
    return (uint32_t)(hash ^ (hash >> 32));
}

int streams_init(struct streams *streams)
{
    *streams = (struct streams){.n_slots = STREAMS_SLOTS_MIN};
    streams->slots = calloc(streams->n_slots, sizeof(*streams->slots));
    return streams->slots != NULL ? 0 : -1;
}

static void stream_free(struct stream *stream)
{
    celltap_stream_free(stream->state);
    celltap_journal_detector_unref(stream->watch);
    backlog_free(stream->backlog);
    free(stream->held);
    free(stream);
}

void streams_done(struct streams *streams)
{
    for (size_t i = 0; i < streams->n; i++)
        stream_free(streams->list[i]);
    free(streams->list);
    free(streams->slots);
    *streams = (struct streams){0};
}

struct stream *streams_find(const struct streams *streams, const char *name, size_t name_bytes)
{
    uint32_t hash = streams_hash(name, name_bytes);
    size_t mask = streams->n_slots - 1;
    for (size_t at = hash & mask; streams->slots[at].ix != 0; at = (at + 1) & mask) {
        if (streams->slots[at].hash != hash)
            continue;
        struct stream *stream = streams->list[streams->slots[at].ix - 1];
        if (stream->name_bytes == name_bytes && memcmp(stream->name, name, name_bytes) == 0)
            return stream;
    }
    return NULL;
}

static void streams_enter(struct streams_slot *slots, size_t n_slots, uint32_t hash, size_t ix)
{
    size_t at = hash & (n_slots - 1);
    while (slots[at].ix != 0)
        at = (at + 1) & (n_slots - 1);
    slots[at] = (struct streams_slot){.hash = hash, .ix = (uint32_t)ix + 1};
}

static int streams_make_room(struct streams *streams)
{
    if (streams->n == streams->n_room) {
        size_t n_room = streams->n_room != 0 ? streams->n_room * 2 : STREAMS_SLOTS_MIN / 2;
        struct stream **list = realloc(streams->list, n_room * sizeof(struct stream *));
        if (list == NULL)
            return -1;
        streams->list = list;
        streams->n_room = n_room;
    }
    if (streams->n * 2 < streams->n_slots)
        return 0;
    size_t n_slots = streams->n_slots * 2;
    struct streams_slot *slots = calloc(n_slots, sizeof(*slots));
    if (slots == NULL)
        return -1;
    for (size_t i = 0; i < streams->n; i++)
        streams_enter(slots, n_slots, streams->list[i]->hash, i);
    free(streams->slots);
    streams->slots = slots;
    streams->n_slots = n_slots;
    return 0;
}

struct stream *streams_add(struct streams *streams, const char *name, size_t name_bytes,
                           celltap_stream *state, float *held)
{
    if (streams_make_room(streams) != 0)
        return NULL;
    struct stream *stream = calloc(1, sizeof(*stream) + name_bytes + 1);
    if (stream == NULL)
        return NULL;
    memcpy(stream->name, name, name_bytes);
    stream->name_bytes = (uint16_t)name_bytes;
    stream->hash = streams_hash(name, name_bytes);
    stream->state = state;
    stream->held = held;
    streams_enter(streams->slots, streams->n_slots, stream->hash, streams->n);
    streams->list[streams->n++] = stream;
    return stream;
}

/* A stream that was reset has no alarm any more, without its detector having ended it. */
enum stream_event streams_judge(struct stream *stream, uint64_t seq,
                                const struct celltap_score *score)
{
    if (score == NULL) {
        stream->alarm = false; /* it may have had a detector */
        return STREAM_EVENT_NONE;
    }
    bool ends = score->end || (stream->alarm && !score->alarm);
    if (score->begin) {
        stream->alarm_since = seq;
        stream->alarm_peak = 0;
        stream->n_events++;
    } else if (!stream->alarm) {
        stream->alarm_since = 0;
        stream->alarm_peak = 0;
    }
    if (score->score > stream->alarm_peak)
        stream->alarm_peak = score->score;
    stream->alarm = score->alarm;
    return score->begin ? STREAM_EVENT_BEGIN : ends ? STREAM_EVENT_END : STREAM_EVENT_NONE;
}

static void streams_reindex(struct streams *streams)
{
    memset(streams->slots, 0, streams->n_slots * sizeof(*streams->slots));
    for (size_t i = 0; i < streams->n; i++)
        streams_enter(streams->slots, streams->n_slots, streams->list[i]->hash, i);
}

void streams_sweep(struct streams *streams)
{
    size_t n = 0;
    for (size_t i = 0; i < streams->n; i++) {
        if (streams->list[i]->serving != NULL)
            streams->list[n++] = streams->list[i];
        else
            stream_free(streams->list[i]);
    }
    streams->n = n;
    streams_reindex(streams);
}
