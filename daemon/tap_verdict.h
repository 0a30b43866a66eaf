/* tap_verdict.h - what the detector says of a timestep, as records of taps.
 *
 * As tap_put: on the thread of the shard, right after the step. */
#ifndef DAEMON_TAP_VERDICT_H
#define DAEMON_TAP_VERDICT_H

#include "daemon/tap.h"

/* `kind: scores`: one record of each timestep of a watched stream. */
void tap_verdict_score(struct tap *tap, size_t shard_ix, const struct serving *serving,
                       size_t column_ix, const struct engine_column *column, size_t n_left);

/* `kind: anomalies`: one record when an alarm begins, and one when it ends. */
void tap_verdict_anomaly(struct tap *tap, size_t shard_ix, const struct serving *serving,
                         size_t column_ix, const struct engine_column *column, size_t n_left);

#endif
