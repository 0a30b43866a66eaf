/* reload.c - the whole new configuration, or the old one as it was.
 *
 *     struct plan   new conf --> new servings --> new taps --> sockets: kept with more listeners
 *                                                              bound beside, or new ones
 *
 * Happy path: everything new is made beside the old (plan_make), the engine exchanges its models
 * (engine_replace), then what cannot fail: listeners are renamed into place, sockets that live on
 * move to their new taps, what is left of the old is closed.  A fault before the exchange:
 * everything is looked at all the same, so that the report has every error, then the plan is freed
 * and the listeners that were added are closed; the old configuration has not noticed.
 *
 * A tap keeps its socket (and so its subscribers) by its name, an ingest by its kind and a URL in
 * common, control always. */
#include "daemon/reload.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/loop_state.h"
#include "daemon/sd.h"

/* ---- the report --------------------------------------------------------------------------- */

static void report_text(struct reload_report *report, const char *text)
{
    size_t n_bytes = strlen(text);
    char *grown = realloc(report->text, report->n_bytes + n_bytes + 1);
    if (grown == NULL)
        return;
    memcpy(grown + report->n_bytes, text, n_bytes + 1);
    report->text = grown;
    report->n_bytes += n_bytes;
}

static void report_line(struct reload_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void report_line(struct reload_report *report, const char *format, ...)
{
    char line[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    strcat(line, "\n");
    report_text(report, line);
}

void reload_report_done(struct reload_report *report)
{
    free(report->text);
    *report = (struct reload_report){0};
}

/* ---- the plan ----------------------------------------------------------------------------- */

struct plan {
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

static void plan_fault(struct plan *plan, const char *text)
{
    plan->good = false;
    report_line(plan->report, "%s", text);
}

static bool texts_have(const struct conf_texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->n; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

/* Binds the URLs that `listen` has and `old` has not. */
static void plan_listen_more(struct plan *plan, struct sock *sock, const struct conf_texts *listen,
                             const struct conf_texts *old)
{
    struct sock_error error;
    for (size_t i = 0; i < listen->n; i++)
        if (!texts_have(old, listen->items[i]) && sock_listen(sock, listen->items[i], &error) != 0)
            plan_fault(plan, error.text);
}

static void plan_servings(struct plan *plan)
{
    char error[1024];
    plan->servings = calloc(plan->conf->n_models + 1, sizeof(struct serving *));
    if (plan->servings == NULL) {
        plan_fault(plan, "out of memory");
        return;
    }
    for (size_t i = 0; i < plan->conf->n_models; i++) {
        if (serving_load(&plan->conf->models[i], &plan->servings[i], error, sizeof(error)) != 0)
            plan_fault(plan, error);
        else
            plan->servings[i]->ix = i;
    }
}

static void plan_tap(struct plan *plan, const struct conf_tap *conf, struct tap *old)
{
    struct sock_error error;
    struct tap *tap = tap_new(conf, plan->servings, plan->conf->n_models);
    if (tap == NULL) {
        plan_fault(plan, "out of memory");
        return;
    }
    plan->taps[plan->n_taps] = tap;
    plan->old_taps[plan->n_taps++] = old;
    if (old != NULL)
        plan_listen_more(plan, old->sock, &conf->listen, &old->conf->listen);
    else if (tap_open(tap, &error) != 0)
        plan_fault(plan, error.text);
}

static void plan_taps(struct plan *plan)
{
    struct taps *taps = &plan->loop->taps;
    plan->taps = calloc(TAPS_MAX + 1, sizeof(struct tap *));
    plan->old_taps = calloc(TAPS_MAX + 1, sizeof(struct tap *));
    if (plan->taps == NULL || plan->old_taps == NULL) {
        plan_fault(plan, "out of memory");
        return;
    }
    if (plan->conf->n_taps + taps_n_dynamic(taps) > TAPS_MAX) {
        plan_fault(plan, "there are too many taps; remove some");
        return;
    }
    for (size_t i = 0; i < plan->conf->n_taps; i++) {
        struct tap *old = taps_find(taps, plan->conf->taps[i].name);
        if (old != NULL && old->owned != NULL)
            plan_fault(plan, "a tap's name is in use by one opened by request; close that");
        else
            plan_tap(plan, &plan->conf->taps[i], old);
    }
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL && taps->list[i]->owned != NULL)
            plan_tap(plan, taps->list[i]->owned, taps->list[i]);
}

/* The old ingest of the same kind with a URL in common, that nobody has taken yet. */
static size_t plan_old_ingest(const struct plan *plan, const struct conf_ingest *ingest,
                              size_t n_planned)
{
    const struct conf *old = plan->loop->conf;
    for (size_t i = 0; i < old->n_ingest; i++) {
        bool free = old->ingest[i].kind == ingest->kind;
        for (size_t j = 0; j < n_planned; j++)
            free = free && plan->ingest[j] != plan->loop->doors.ingest[i];
        for (size_t j = 0; free && j < ingest->listen.n; j++)
            if (texts_have(&old->ingest[i].listen, ingest->listen.items[j]))
                return i;
    }
    return SIZE_MAX;
}

static void plan_ingest(struct plan *plan)
{
    const struct loop *loop = plan->loop;
    const struct conf *conf = plan->conf;
    struct sock_error error;
    plan->ingest = calloc(conf->n_ingest + 1, sizeof(struct sock *));
    plan->ingest_kept = calloc(conf->n_ingest + 1, sizeof(bool));
    if (plan->ingest == NULL || plan->ingest_kept == NULL) {
        plan_fault(plan, "out of memory");
        return;
    }
    if (conf->n_ingest > DOORS_INGEST_MAX) {
        plan_fault(plan, "there are too many ingest entries; remove some");
        return;
    }
    for (size_t i = 0; i < conf->n_ingest; i++) {
        const struct conf_ingest *ingest = &conf->ingest[i];
        struct sock_options options = doors_ingest_options(conf, ingest, loop->frames);
        size_t old = plan_old_ingest(plan, ingest, i);
        if (old != SIZE_MAX) {
            plan->ingest[i] = loop->doors.ingest[old];
            plan->ingest_kept[i] = true;
            plan_listen_more(plan, plan->ingest[i], &ingest->listen,
                             &loop->conf->ingest[old].listen);
        } else if (doors_open_sock(&options, &ingest->listen, &plan->ingest[i], &error) != 0) {
            plan_fault(plan, error.text);
        }
    }
}

static void plan_make(struct plan *plan)
{
    plan->good = true;
    plan_servings(plan);
    if (!plan->good)
        return;
    plan_taps(plan);
    plan_ingest(plan);
    plan_listen_more(plan, plan->loop->doors.control, &plan->conf->control_listen,
                     &plan->loop->conf->control_listen);
}

/* ---- taking it back ----------------------------------------------------------------------- */

static void plan_rollback_sock(struct sock *sock, void *arg)
{
    (void)arg;
    sock_listen_rollback(sock);
}

static void plan_free(struct plan *plan)
{
    for (size_t i = 0; plan->servings != NULL && i < plan->conf->n_models; i++)
        serving_free(plan->servings[i]);
    free(plan->servings);
    for (size_t i = 0; i < plan->n_taps; i++)
        tap_free(plan->taps[i]);
    free(plan->taps);
    free(plan->old_taps);
    for (size_t i = 0; plan->ingest != NULL && i < plan->conf->n_ingest; i++)
        if (!plan->ingest_kept[i])
            sock_close(plan->ingest[i]);
    free(plan->ingest);
    free(plan->ingest_kept);
    conf_free(plan->conf);
}

static void plan_take_back(struct plan *plan)
{
    const struct taps *taps = &plan->loop->taps;
    doors_each(&plan->loop->doors, plan_rollback_sock, NULL);
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL)
            sock_listen_rollback(taps->list[i]->sock);
    plan_free(plan);
}

/* ---- putting it in place ------------------------------------------------------------------ */

static void plan_commit_sock(struct sock *sock, void *arg)
{
    struct plan *plan = arg;
    struct sock_error error;
    if (sock_listen_commit(sock, &error) != 0)
        report_line(plan->report, "%s; it is tried again", error.text);
}

static void plan_unlisten(struct sock *sock, const struct conf_texts *old,
                          const struct conf_texts *listen)
{
    for (size_t i = 0; i < old->n; i++)
        if (!texts_have(listen, old->items[i]))
            sock_unlisten(sock, old->items[i]);
}

/* The old tap's socket and counts go on under the new selection. */
static void plan_move_tap(struct plan *plan, struct tap *tap, struct tap *old)
{
    struct sock_error error;
    struct sock_options options = tap_options(tap->conf);
    tap->sock = old->sock;
    old->sock = NULL;
    tap->owned = old->owned;
    old->owned = NULL;
    tap->n_records = old->n_records;
    tap->n_messages = old->n_messages;
    tap->n_bytes = old->n_bytes;
    tap->alone_since_ms = old->alone_since_ms;
    tap->had_subscriber = old->had_subscriber;
    plan_commit_sock(tap->sock, plan);
    plan_unlisten(tap->sock, &old->conf->listen, &tap->conf->listen);
    if (sock_tune(tap->sock, &options, &error) != 0)
        report_line(plan->report, "tap %s: %s", tap->conf->name, error.text);
}

static void plan_apply_taps(struct plan *plan)
{
    struct taps *taps = &plan->loop->taps;
    struct taps next = {.version = taps->version + 1, .n_opened = taps->n_opened};
    for (size_t i = 0; i < plan->n_taps; i++) {
        if (plan->old_taps[i] != NULL)
            plan_move_tap(plan, plan->taps[i], plan->old_taps[i]);
        else
            plan_commit_sock(plan->taps[i]->sock, plan);
        next.list[i] = plan->taps[i];
    }
    for (size_t i = 0; i < TAPS_MAX; i++) {
        struct tap *old = taps->list[i];
        if (old != NULL && old->sock != NULL)
            report_line(plan->report, "tap %s is closed", old->conf->name);
        tap_free(old);
    }
    *taps = next;
    plan->n_taps = 0;
}

/* An ingest that is gone may have messages on their way, with places in its socket for replies. */
static void plan_close_ingest(struct plan *plan, struct sock *sock)
{
    struct loop *loop = plan->loop;
    sock_deafen(sock);
    uint64_t n_arrived = intake_level(loop->frames).n_arrived;
    while (loop->turn->n_messages < n_arrived)
        turn_run(loop->turn, loop->frames, loop->engine, &loop->taps,
                 plan->conf->max_message_bytes);
    intake_remove(loop->frames, sock);
    sock_close(sock);
}

static void plan_apply_ingest(struct plan *plan)
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
        if (sock_tune(plan->ingest[i], &options, &error) != 0)
            report_line(plan->report, "%s", error.text);
        if (!plan->ingest_kept[i])
            intake_add(loop->frames, plan->ingest[i]);
        sock_resume(plan->ingest[i]);
    }
    free(doors->ingest);
    doors->ingest = plan->ingest;
    doors->n_ingest = plan->conf->n_ingest;
    plan->ingest = NULL;
}

static void plan_report_models(struct plan *plan, const struct engine_change *change)
{
    report_line(plan->report,
                "%zu models, %zu taps, %zu ingest; streams: %zu go on, %zu start afresh, %zu gone",
                plan->conf->n_models, plan->conf->n_taps, plan->conf->n_ingest, change->n_kept,
                change->n_afresh, change->n_dropped);
}

static int plan_apply(struct plan *plan)
{
    struct loop *loop = plan->loop;
    struct engine_change change;
    if (engine_replace(loop->engine, plan->servings, plan->conf->n_models,
                       (size_t)plan->conf->max_streams, &change) != 0) {
        plan_fault(plan, "out of memory");
        return -1;
    }
    plan->servings = NULL;
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
static int plan_read(struct plan *plan)
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
        report_text(plan->report, errors.text);
    conf_errors_done(&errors);
    return code;
}

int reload_run(struct loop *loop, struct reload_report *ret_report)
{
    struct plan plan = {.loop = loop, .report = ret_report};
    *ret_report = (struct reload_report){0};
    if (loop->phase != LOOP_RUNNING) {
        report_line(ret_report, "celltapd is ending");
        return -1;
    }
    if (plan_read(&plan) != 0)
        return -1;
    plan_make(&plan);
    if (!plan.good || plan_apply(&plan) != 0) {
        plan_take_back(&plan);
        return -1;
    }
    plan_free(&plan);
    loop->n_reloads++;
    return 0;
}

void reload_by_signal(struct loop *loop)
{
    struct reload_report report;
    char *rest = NULL;
    sd_reloading();
    int code = reload_run(loop, &report);
    enum log_level level = code == 0 ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERR;
    for (char *line = strtok_r(report.text, "\n", &rest); report.text != NULL && line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        log_line(level, "reload: %s", line);
    if (code != 0)
        log_line(LOG_LEVEL_WARNING, "the old configuration stays in use");
    reload_report_done(&report);
    sd_ready();
}
