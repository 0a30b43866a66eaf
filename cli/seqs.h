/* seqs.h - which timesteps of which stream have come, and how many are missing in between. */
#ifndef CLI_SEQS_H
#define CLI_SEQS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEQS_STREAMS_MAX 1024 /* whose holes are counted; more are not told apart */

struct seqs_stream {
    char *name; /* owned */
    uint64_t seq, n_lost;
    bool is_paused; /* what comes next follows on nothing */
};

struct seqs {
    uint64_t every;              /* of a tap: seq comes in steps of this */
    struct seqs_stream *streams; /* owned, [n] in order of appearance */
    size_t n;
    uint64_t n_lost;
};

/* Notes that a record of a stream came.  The stream's place, or -1: there are too many. */
int seqs_take(struct seqs *seqs, const char *stream, size_t stream_bytes, uint64_t seq);
/* Nobody listened for a while: what did not come meanwhile is not missing. */
void seqs_pause(struct seqs *seqs);
void seqs_done(struct seqs *seqs);

#endif
