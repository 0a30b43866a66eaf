/* recall.h - past timesteps asked of the running daemon, a slice at a time.
 *
 *     recall_send: control replay -->  the daemon computes  --> recall_receive: records, at most 1 MiB
 *
 * and again until there is no more.  Sent as soon as the slice before has come, the next one is
 * computed while that is looked at. */
#ifndef CLI_RECALL_H
#define CLI_RECALL_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/control.h"

struct recall_range {
    const char *stream;
    bool scores;                  /* instead of activations */
    const char *layers, *tensors; /* globs, separated by commas */
    uint64_t from_seq, to_seq;    /* inclusive; recall_receive moves from_seq on */
    bool by_time;                 /* of these, those of from_ts to to_ts */
    int64_t from_ts, to_ts;
    uint64_t every; /* 0: all */
    uint64_t limit; /* of one slice; 0: what fits */
};

struct recall_slice {
    const unsigned char *records, *end; /* for celltap_record_read; borrowed until the next call */
    bool more;                          /* ask again */
    char model[24];                     /* hash of the file of the model that made them */
    uint64_t n_bytes, total;            /* of the journal: read so far, to be read */
    uint64_t held_from;                 /* when refused: can be had from this seq on; 0: none */
};

/* Asks for the next slice.  0, or -1 with the reason in ret_error [CONTROL_ERROR_MAX]. */
int recall_send(struct control *control, const struct recall_range *range, char *ret_error);

/* It; with `more` and without records the daemon is on its way there.  0, -1: no answer,
 * CONTROL_REFUSED; reason in ret_error [CONTROL_ERROR_MAX]. */
int recall_receive(struct control *control, struct recall_range *range,
                   struct recall_slice *ret_slice, char *ret_error);

#endif
