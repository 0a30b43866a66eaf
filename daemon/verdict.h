/* verdict.h - what a detector says of a timestep, as a record: live and of the past.
 *
 *     stream seq ts score threshold alarm | g level phase
 *
 * Numbers are float64, so that they are those of `celltap score` to the last bit; one that is not
 * finite is nil. */
#ifndef DAEMON_VERDICT_H
#define DAEMON_VERDICT_H

#include "lib/celltap.h"
#include "lib/celltap_wire.h"

#define VERDICT_BYTES 160 /* of a score's record without the stream's name */

/* Which timestep it is about. */
struct verdict_head {
    const char *stream;
    size_t stream_bytes;
    uint64_t seq;
    int64_t ts_ns;
};

/* Begins a map of n_pairs with the first three. */
void verdict_put_head(struct celltap_writer *writer, size_t n_pairs,
                      const struct verdict_head *head);

/* The whole record; state: the stream, whose detector has judged it. */
void verdict_put_score(struct celltap_writer *writer, const struct verdict_head *head,
                       const struct celltap_score *score, const celltap_stream *state);

/* One pair. */
void verdict_put_threshold(struct celltap_writer *writer, const celltap_stream *state);
void verdict_put_number(struct celltap_writer *writer, const char *key, double number);
void verdict_put_uint(struct celltap_writer *writer, const char *key, uint64_t number);
void verdict_put_text(struct celltap_writer *writer, const char *key, const char *text);

#endif
