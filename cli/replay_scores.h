/* replay_scores.h - the past scores of a stream as rows of csv: from its journal, or by the daemon. */
#ifndef CLI_REPLAY_SCORES_H
#define CLI_REPLAY_SCORES_H

#include "cli/recall.h"
#include "lib/celltap_journal.h"

/* Where they come from. */
struct replay_scores {
    celltap_replay *past;      /* borrowed; NULL: the daemon is asked */
    struct control *control;   /* borrowed */
    struct recall_range range; /* what the daemon is asked for */
};

/* All of the range to path (NULL: standard output), which appears when it is complete.  0, or -1
 * with the reason in ret_error [CONTROL_ERROR_MAX] ("": asked to stop). */
int replay_scores_run(const struct replay_scores *from, const char *path, uint64_t *ret_n_rows,
                      char *ret_error);

#endif
