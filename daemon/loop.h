/* loop.h - the daemon from its configuration to its end.
 *
 * One turn of the loop = take what has arrived, step it, publish it, acknowledge it.  The caller's
 * thread only; one at a time in a process. */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include "daemon/conf.h"

/* Runs until SIGTERM, SIGINT or a fatal error.  Takes over conf.  Returns 0 after an orderly end,
 * -1 after an error that has been logged, LOOP_MISCONFIGURED if it is that a model cannot serve. */
#define LOOP_MISCONFIGURED (-2)
int loop_run(struct conf *conf);

#endif
