/* replay_scores.h - the past scores of a stream, from its journal, as rows of csv. */
#ifndef CLI_REPLAY_SCORES_H
#define CLI_REPLAY_SCORES_H

#include "lib/celltap_journal.h"

/* All of the range to path (NULL: standard output), which appears when it is complete.  0, or -1
 * with the reason in ret_error [SINK_ERROR_MAX] ("": asked to stop). */
int replay_scores_run(celltap_replay *past, const char *path, uint64_t *ret_n_rows,
                      char *ret_error);

#endif
