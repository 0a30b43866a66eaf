/* reload.c - the whole new configuration, or the old one as it was.
 *
 * Happy path: everything new is made beside the old (reload_plan.c), the engine exchanges its
 * models (engine_replace), then what cannot fail: listeners are renamed into place, sockets that
 * live on move to their new taps, what is left of the old is closed.  A fault before the exchange:
 * the plan is taken back, and the old configuration has not noticed. */
#include "daemon/reload.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/reload_plan.h"

/* ---- putting it in place ------------------------------------------------------------------ */

static void plan_commit_sock(struct sock *sock, void *arg)
{
    struct reload_plan *plan = arg;
    struct sock_error error;
    if (sock_listen_commit(sock, &error) != 0)
        reload_say(plan->report, "%s; it is tried again", error.text);
}

static void plan_unlisten(struct sock *sock, const struct conf_texts *old,
                          const struct conf_texts *listen)
{
    for (size_t i = 0; i < old->n; i++)
        if (!reload_has(listen, old->items[i]))
            sock_unlisten(sock, old->items[i]);
}

/* The old tap's socket and counts go on under the new selection. */
static void plan_move_tap(struct reload_plan *plan, struct tap *tap, struct tap *old)
{
    tap->sock = old->sock;
    old->sock = NULL;
    tap->owned = old->owned;
    old->owned = NULL;
    tap->before = tap_counts(old);
    tap->alone_since_ms = old->alone_since_ms;
    plan_commit_sock(tap->sock, plan);
    plan_unlisten(tap->sock, &old->conf->listen, &tap->conf->listen);
}

static void plan_apply_taps(struct reload_plan *plan)
{
    struct taps *taps = &plan->loop->taps;
    if (taps->has_journal)
        taps_set_replay(taps, &plan->conf->control_listen);
    struct taps next = *taps;
    memset(next.list, 0, sizeof(next.list));
    next.version++;
    for (size_t i = 0; i < plan->n_taps; i++) {
        if (plan->old_taps[i] != NULL)
            plan_move_tap(plan, plan->taps[i], plan->old_taps[i]);
        else
            plan_commit_sock(plan->taps[i]->sock, plan);
        next.list[i] = plan->taps[i];
        next.list[i]->control = taps->has_journal ? taps->control : NULL;
    }
    for (size_t i = 0; i < TAPS_MAX; i++) {
        struct tap *old = taps->list[i];
        if (old != NULL && old->sock != NULL)
            reload_say(plan->report, "tap %s is closed", old->conf->name);
        tap_free(old);
    }
    *taps = next;
    plan->n_taps = 0;
}

/* An ingest that is gone may have messages on their way, with places in its socket for replies. */
static void plan_close_ingest(struct reload_plan *plan, struct sock *sock)
{
    struct loop *loop = plan->loop;
    sock_deafen(sock);
    uint64_t n_arrived = intake_level(loop->frames).n_arrived;
    while (loop->turn->n_messages < n_arrived) {
        if (engine_is_behind(loop->engine) && engine_settle(loop->engine) != 0)
            break;
        turn_run(loop->turn, loop->frames, loop->engine, &loop->taps,
                 plan->conf->max_message_bytes);
    }
    journal_give_up(loop->journal, sock);
    intake_remove(loop->frames, sock);
    sock_close(sock);
}

static void plan_apply_ingest(struct reload_plan *plan)
{
    struct loop *loop = plan->loop;
    struct doors *doors = &loop->doors;
    for (size_t i = 0; i < doors->n_ingest; i++) {
        size_t at = 0;
        while (at < plan->conf->n_ingest && plan->ingest[at] != doors->ingest[i])
            at++;
        if (at == plan->conf->n_ingest)
            plan_close_ingest(plan, doors->ingest[i]);
        else
            plan_unlisten(doors->ingest[i], &loop->conf->ingest[i].listen,
                          &plan->conf->ingest[at].listen);
    }
    for (size_t i = 0; i < plan->conf->n_ingest; i++) {
        struct sock_error error;
        struct sock_options options =
            doors_ingest_options(plan->conf, &plan->conf->ingest[i], loop->frames);
        plan_commit_sock(plan->ingest[i], plan);
        if (sock_set_recv_max(plan->ingest[i], options.recv_max_bytes, &error) != 0)
            reload_say(plan->report, "%s", error.text);
        if (!plan->ingest_kept[i])
            intake_add(loop->frames, plan->ingest[i]);
        sock_resume(plan->ingest[i]);
    }
    free(doors->ingest);
    doors->ingest = plan->ingest;
    doors->n_ingest = plan->conf->n_ingest;
    plan->ingest = NULL;
}

static void plan_report_models(struct reload_plan *plan, const struct engine_change *change)
{
    reload_say(plan->report,
               "%zu model%s, %zu tap%s, %zu ingest; streams: %zu go on, %zu start afresh, %zu gone",
               plan->conf->n_models, plan->conf->n_models == 1 ? "" : "s", plan->conf->n_taps,
               plan->conf->n_taps == 1 ? "" : "s", plan->conf->n_ingest, change->n_kept,
               change->n_afresh, change->n_dropped);
    if (change->n_late > 0)
        reload_say(plan->report, "%zu frames that waited for a detector to learn are not stepped",
                   change->n_late);
}

static int plan_apply(struct reload_plan *plan)
{
    struct loop *loop = plan->loop;
    struct engine_change change;
    if (engine_replace(loop->engine, plan->servings, plan->conf->n_models,
                       (size_t)plan->conf->max_streams, &change) != 0) {
        reload_fault(plan, "out of memory");
        return -1;
    }
    plan->servings = NULL;
    journal_tune(loop->journal, plan->conf);
    if (change.n_afresh + change.n_dropped > 0)
        journal_change(loop->journal);
    plan_report_models(plan, &change);
    plan_apply_taps(plan);
    plan_apply_ingest(plan);
    plan_commit_sock(loop->doors.control, plan);
    plan_unlisten(loop->doors.control, &loop->conf->control_listen, &plan->conf->control_listen);
    struct conf *old = loop->conf;
    loop->conf = plan->conf;
    plan->conf = old;
    return 0;
}

/* ---- the door ----------------------------------------------------------------------------- */

/* Reads and checks; -1 with every error in the report. */
static int plan_read(struct reload_plan *plan)
{
    struct conf_errors errors = {0};
    int code = conf_load(plan->loop->conf->path, &plan->conf, &errors);
    if (code == 0) {
        conf_errors_done(&errors);
        errors = (struct conf_errors){0};
        code = conf_reload_check(plan->loop->conf, plan->conf, &errors);
        if (code != 0)
            conf_free(plan->conf);
    }
    if (code != 0 && errors.text != NULL)
        reload_say_text(plan->report, errors.text);
    conf_errors_done(&errors);
    return code;
}

int reload_run(struct loop *loop, struct reload_report *ret_report)
{
    struct reload_plan plan = {.loop = loop, .report = ret_report};
    *ret_report = (struct reload_report){0};
    if (loop->phase != LOOP_RUNNING) {
        reload_say(ret_report, "celltapd is ending");
        return -1;
    }
    if (journal_is_blocked(loop->journal)) {
        reload_say(ret_report, "the journal cannot be written; reload when it can");
        return -1;
    }
    if (plan_read(&plan) != 0)
        return -1;
    reload_plan_make(&plan);
    if (!plan.good || plan_apply(&plan) != 0) {
        reload_plan_take_back(&plan);
        return -1;
    }
    reload_plan_free(&plan);
    loop->n_reloads++;
    return 0;
}

void reload_by_signal(struct loop *loop)
{
    struct reload_report report;
    char *rest = NULL;
    sd_reloading(&loop->sd);
    int code = reload_run(loop, &report);
    enum log_level level = code == 0 ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERR;
    for (char *line = strtok_r(report.text, "\n", &rest); report.text != NULL && line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        log_line(level, "reload: %s", line);
    if (code != 0)
        log_line(LOG_LEVEL_WARNING, "the old configuration stays in use");
    reload_report_done(&report);
    sd_ready(&loop->sd);
}
