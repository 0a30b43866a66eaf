/* replay_far.h - a replay that the running daemon computes: records to rows. */
#ifndef CLI_REPLAY_FAR_H
#define CLI_REPLAY_FAR_H

#include "cli/recall.h"
#include "cli/rows.h"

/* The whole range, through the daemon at url (NULL: the default), into rows; globs NULL: all.  The
 * rows' tensors are borrowed from *ret_far, which is freed after them.  0, or -1 with the reason in
 * ret_error [CONTROL_ERROR_MAX] ("": asked to stop). */
struct replay_far;
int replay_far_run(const char *url, const struct recall_range *range, struct rows *rows,
                   struct replay_far **ret_far, char *ret_error);
void replay_far_free(struct replay_far *far); /* NULL is fine */

#endif
