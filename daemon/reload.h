/* reload.h - the whole new configuration, or the old one as it was.
 *
 * The loop's thread only, between turns. */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include <stddef.h>

struct loop;

/* What a reload has to say: lines, ended by \n each. */
struct reload_report {
    char *text; /* owned */
    size_t n_bytes;
};

/* Reads the configuration's file again and applies it.  0: the report says what has changed; -1:
 * nothing has changed, and it says everything that is wrong. */
int reload_run(struct loop *loop, struct reload_report *ret_report);
void reload_report_done(struct reload_report *report);

/* The same with the report in the log. */
void reload_by_signal(struct loop *loop);

#endif
