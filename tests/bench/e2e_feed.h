/* e2e_feed.h - a producer: frames of many streams, batched into messages, over one PUSH socket.
 *
 *     e2e_feed_send --> | frame | frame | ... |  --PUSH--> the daemon       waits while it is full
 *
 * The main thread only. */
#ifndef TESTS_BENCH_E2E_FEED_H
#define TESTS_BENCH_E2E_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct e2e_feed;

/* Frames say their seq, or leave it to the daemon.  NULL: it cannot dial the URL (a line says
 * why). */
struct e2e_feed *e2e_feed_new(const char *url, size_t n_streams, size_t n_values,
                              size_t per_message, bool has_seq);
void e2e_feed_free(struct e2e_feed *feed);

/* One frame of the stream "warm". */
void e2e_feed_warm(struct e2e_feed *feed);

/* The next n_frames frames of the load, in one message. */
void e2e_feed_send(struct e2e_feed *feed, size_t n_frames);

uint64_t e2e_feed_frames(const struct e2e_feed *feed); /* sent so far */

#endif
