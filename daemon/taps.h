/* taps.h - all taps: those of the configuration and those opened by request.
 *
 *     engine --stepped--> for each tap with a subscriber that selects the stream: tap_put
 *
 * Which taps select a stream is kept in the stream as one bit per tap, and found again after a
 * change of the taps.  The loop's thread only, but for the sink and taps_turn_end, which are called for
 * each shard on the thread that steps it, while the loop waits. */
#ifndef DAEMON_TAPS_H
#define DAEMON_TAPS_H

#include "daemon/tap.h"

#define TAPS_DYNAMIC_MAX 16 /* opened by request */
#define TAPS_MAX         (CONF_TAPS_MAX + TAPS_DYNAMIC_MAX)
_Static_assert(TAPS_MAX <= 64, "bits of stream->taps");

#define TAPS_LEFT_MS  5000  /* a tap by request ends so long after its last subscriber */
#define TAPS_NEVER_MS 30000 /* ... and so long after nobody came */

#define TAPS_CONTROL_DEFAULT "ipc:///run/celltap/control.ipc" /* where the command looks */
#define TAPS_CONTROL_BYTES   512

struct taps {
    struct tap *list[TAPS_MAX]; /* owned; NULL: free */
    uint64_t version;           /* changes with the list; never 0 */
    uint64_t n_opened;          /* by request, since the start: their names */
    bool has_journal;
    char control[TAPS_CONTROL_BYTES]; /* option of the command, if it must be told where we are */
};

/* What the engine calls. */
struct engine_sink taps_sink(struct taps *taps);

/* There is a journal, and control listens there: so anomalies tell the command that replays. */
void taps_set_replay(struct taps *taps, const struct conf_texts *control_listen);

/* Takes a tap over.  -1: there are TAPS_DYNAMIC_MAX by request. */
int taps_add(struct taps *taps, struct tap *tap);
struct tap *taps_find(const struct taps *taps, const char *name);
size_t taps_n_dynamic(const struct taps *taps);
void taps_close(struct taps *taps, struct tap *tap); /* removes and frees */
void taps_done(struct taps *taps);

/* A serving more, behind those that there were.  -1: no memory; nothing has changed then. */
int taps_grow(struct taps *taps, const struct serving *serving);

void taps_turn_end(struct taps *taps, size_t shard_ix);

/* Closes the taps by request that nobody wants any more. */
void taps_expire(struct taps *taps, uint64_t now_ms);

#endif
