/* backlog.h - a watched stream's warm-up, and the frames that were accepted while it is under way.
 *
 *     NONE --enough frames--> DUE --somebody does it--> RUNNING --done--> READY --none wait--> NONE
 *
 *     | frame | frame | ... |   late ones, each an allocation; in the order in which they came
 *
 * They are in the journal already.  Knows no engine, no loop. */
#ifndef DAEMON_BACKLOG_H
#define DAEMON_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

enum backlog_stage {
    BACKLOG_NONE,
    BACKLOG_DUE,     /* listed, to be warmed up */
    BACKLOG_RUNNING, /* somebody does it */
    BACKLOG_READY    /* listed: its late frames may go on */
};

struct backlog_frame {
    struct backlog_frame *next;
    uint64_t seq;
    int64_t ts_ns;
    bool reset, born, rewarm;
    size_t n_values;
    float values[]; /* [n_values] */
};

struct backlog {
    size_t n_left; /* frames until the warm-up is due, as accepted; SIZE_MAX: it is over */
    enum backlog_stage stage;
    struct stream *next;                /* of the list that it is in */
    struct backlog_frame *first, *last; /* owned */
    size_t n;
    /* If there are some: the stream as it was stepped last, before the first of them. */
    uint64_t seq, n_gaps;
    int64_t ts_ns;
    uint64_t position; /* of the journal's record with the first; UINT64_MAX: not in it yet */
};

/* NULL: no memory. */
struct backlog *backlog_new(void);
void backlog_free(struct backlog *backlog); /* with its frames; NULL is fine */

struct backlog_frame *backlog_frame_new(size_t n_values);
void backlog_frame_free(struct backlog_frame *frame); /* NULL is fine */
size_t backlog_frame_bytes(const struct backlog_frame *frame);

void backlog_put(struct backlog *backlog, struct backlog_frame *frame); /* taken */

/* The oldest; NULL: none is left. */
struct backlog_frame *backlog_take(struct backlog *backlog);

#endif
