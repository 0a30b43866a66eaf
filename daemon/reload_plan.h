/* reload_plan.h - a new configuration, made beside the old one and not in use yet. */
#ifndef DAEMON_RELOAD_PLAN_H
#define DAEMON_RELOAD_PLAN_H

#include "daemon/loop_state.h"
#include "daemon/reload.h"

struct reload_plan {
    struct loop *loop;
    struct conf *conf;         /* owned */
    struct serving **servings; /* [conf->n_models] owned */
    struct tap **taps;         /* [n_taps] owned; those of the configuration, then by request */
    struct tap **old_taps;     /* [n_taps] borrowed: whose socket each takes; NULL: a new one */
    size_t n_taps;
    struct sock **ingest; /* [conf->n_ingest]: new ones are owned, kept ones borrowed */
    bool *ingest_kept;    /* [conf->n_ingest] */
    struct reload_report *report;
    bool good;
};

/* Makes everything that conf asks for; afterwards plan->good, or every error is in the report. */
void reload_plan_make(struct reload_plan *plan);

/* Frees what the plan still owns. */
void reload_plan_free(struct reload_plan *plan);

/* The same, and closes the listeners that were added to sockets in use. */
void reload_plan_take_back(struct reload_plan *plan);

bool reload_has(const struct conf_texts *texts, const char *text);

/* Lines of the report. */
void reload_say_text(struct reload_report *report, const char *text);
void reload_say(struct reload_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void reload_fault(struct reload_plan *plan, const char *text);

#endif
