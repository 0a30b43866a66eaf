/* conf_report.h - everything wrong with one configuration file, collected to be told at once.
 *
 *     add, add, add ... in any order --finish--> struct conf_errors, by line and column */
#ifndef DAEMON_CONF_REPORT_H
#define DAEMON_CONF_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/conf.h"

#define CONF_REPORT_MAX 100 /* lines told; beyond that only their number */

/* A place in the file, counted from 1; line 0: the file as a whole. */
struct conf_place {
    unsigned line, column;
};

struct conf_report {
    const char *path; /* borrowed */
    struct conf_report_entry {
        struct conf_place place;
        char *text; /* owned */
    } * entries;    /* [n], owned */
    size_t n;
    size_t n_errors; /* told and untold */
    bool out_of_memory;
};

/* "what is wrong; what to do", one line; control characters are escaped. */
void conf_report_add(struct conf_report *report, struct conf_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True when further errors are only counted. */
static inline bool conf_report_is_full(const struct conf_report *report)
{
    return report->n == CONF_REPORT_MAX;
}

/* Hands the lines over and empties the report.  Returns 0 if there were none, else -1. */
int conf_report_finish(struct conf_report *report, struct conf_errors *reterr);

#endif
