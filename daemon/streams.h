/* streams.h - the streams that exist, by name: a hash table whose cost does not depend on them.
 *
 *     slots[2^k]  | hash, ix | . | hash, ix | ...     list[ix] --> struct stream (in order of birth)
 *
 * Knows no loop and no sockets. */
#ifndef DAEMON_STREAMS_H
#define DAEMON_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/backlog.h"
#include "lib/celltap_journal.h"

struct serving; /* serving.h: a model that serves streams */

enum stream_event { STREAM_EVENT_NONE, STREAM_EVENT_BEGIN, STREAM_EVENT_END };

struct stream {
    struct serving *serving; /* borrowed */
    celltap_stream *state;   /* owned */
    celltap_journal_detector
        *watch;    /* ref: how it is watched, as it learns by the model's; or NULL */
    uint64_t seq;  /* of the last accepted frame */
    int64_t ts_ns; /* of the last accepted frame */
    uint64_t n_frames, n_duplicates, n_gaps;
    bool reset_next;       /* the next frame starts afresh */
    bool born_next;        /* and its detector, as the model's streams begin */
    bool rewarm_next;      /* and its detector, with a warm-up */
    bool of_snapshot;      /* its last frame is known from a snapshot alone */
    bool alarm;            /* its detector's, as of the last step */
    uint64_t alarm_since;  /* seq; 0: it began before the daemon did, or there is none */
    double alarm_peak;     /* the highest score since then */
    uint64_t n_events;     /* that have begun */
    uint64_t taps;         /* bit i: tap i selects this stream, as of ... */
    uint64_t taps_version; /* ... this version of the taps; 0: never looked */
    /* Within a turn: frames waiting to be stepped. */
    uint32_t first_pending, last_pending, n_pending;
    struct stream *next_active;
    struct backlog *backlog; /* owned: its warm-up, and what waits for that; NULL: no detector */
    float *held;             /* [n_channels] owned: last values, for `missing: hold`; else NULL */
    struct celltap_journal_place place; /* in the journal's segment */
    uint32_t hash; /* of the name: FNV-1a of 64 bits, folded; the manual says so */
    uint16_t name_bytes;
    char name[]; /* ended by NUL */
};

struct streams {
    struct stream **list; /* [n] owned, in order of birth */
    size_t n, n_room;
    struct streams_slot {
        uint32_t hash;
        uint32_t ix; /* into list, plus 1; 0: free */
    } * slots;       /* [n_slots] owned */
    size_t n_slots;  /* a power of two, at least 2 n */
};

int streams_init(struct streams *streams);
void streams_done(struct streams *streams); /* frees all streams */

struct stream *streams_find(const struct streams *streams, const char *name, size_t name_bytes);

/* Takes note of the verdict on a timestep (NULL: there is no detector): whether an alarm begins or
 * ends with it. */
enum stream_event streams_judge(struct stream *stream, uint64_t seq,
                                const struct celltap_score *score);

/* A new stream; takes over state and held.  NULL: no memory, nothing was taken. */
struct stream *streams_add(struct streams *streams, const char *name, size_t name_bytes,
                           celltap_stream *state, float *held);

/* Frees the streams without serving model; the others keep their order. */
void streams_sweep(struct streams *streams);

#endif
