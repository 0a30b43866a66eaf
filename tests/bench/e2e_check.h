/* e2e_check.h - subscribers that check every record, and say how late it came.
 *
 *     tap --record--> of a stream and layer that the model has, its seq the next one, every tensor of
 *                     its size; of the first streams bit for bit what the library computes
 *
 * A record of the stream "warm" only says that its subscriber is connected.  Callbacks run on nng's
 * threads, one at a time for each subscriber. */
#ifndef TESTS_BENCH_E2E_CHECK_H
#define TESTS_BENCH_E2E_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/celltap.h"

struct e2e_check;

struct e2e_check_options {
    const char *url;
    celltap_model *model; /* borrowed */
    size_t n_subscribers, n_streams;
    size_t n_sampled; /* timesteps of each of the first streams that are computed here too */
    size_t n_frames;  /* of each subscriber's latencies kept; the last so many frames */
};

struct e2e_check *e2e_check_new(const struct e2e_check_options *options);
void e2e_check_free(struct e2e_check *check);

bool e2e_check_connected(struct e2e_check *check); /* all of them */

/* Whole frames (all of their records) that every subscriber has; 0 subscribers: all. */
uint64_t e2e_check_frames(const struct e2e_check *check);

/* Waits until all have n_frames, or nothing has come for a while (false). */
bool e2e_check_wait(struct e2e_check *check, uint64_t n_frames);

struct e2e_check_result {
    uint64_t n_records, n_messages, n_bytes; /* of the first subscriber */
    uint64_t n_compared;                     /* tensors equal bit for bit to the library's */
    double p50_us, p99_us, p999_us;          /* of the frames kept, first subscriber */
};
/* Ends the program with a line if a check has failed. */
struct e2e_check_result e2e_check_result(struct e2e_check *check);

/* Latencies of frames from here on are kept. */
void e2e_check_keep(struct e2e_check *check);

#endif
