/* reload_plan.c - a new configuration, made beside the old one and not in use yet.
 *
 *     new conf --> new servings --> new taps --> sockets: those that stay, with more listeners
 *                                                bound beside, and new ones
 *
 * A tap keeps its socket (and so its subscribers) by its name and `queue`, an ingest by its kind and a URL in
 * common, control always.  A fault does not end the work, so that the report has every error. */
#include "daemon/reload_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model_check.h"
#include "daemon/tap_check.h"

void reload_say_text(struct reload_report *report, const char *text)
{
    size_t n_bytes = strlen(text);
    char *grown = realloc(report->text, report->n_bytes + n_bytes + 1);
    if (grown == NULL)
        return;
    memcpy(grown + report->n_bytes, text, n_bytes + 1);
    report->text = grown;
    report->n_bytes += n_bytes;
}

void reload_say(struct reload_report *report, const char *format, ...)
{
    char line[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    strcat(line, "\n");
    reload_say_text(report, line);
}

void reload_report_done(struct reload_report *report)
{
    free(report->text);
    *report = (struct reload_report){0};
}

/* ---- the plan ----------------------------------------------------------------------------- */

void reload_fault(struct reload_plan *plan, const char *text)
{
    plan->good = false;
    reload_say(plan->report, "%s", text);
}

bool reload_has(const struct conf_texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->n; i++)
        if (strcmp(texts->items[i], text) == 0)
            return true;
    return false;
}

/* Binds the URLs that `listen` has and `old` has not. */
static void plan_listen_more(struct reload_plan *plan, struct sock *sock,
                             const struct conf_texts *listen, const struct conf_texts *old)
{
    struct sock_error error;
    for (size_t i = 0; i < listen->n; i++)
        if (!reload_has(old, listen->items[i]) && sock_listen(sock, listen->items[i], &error) != 0)
            reload_fault(plan, error.text);
}

static void plan_fault(void *arg, const char *text)
{
    reload_fault(arg, text);
}

static void plan_servings(struct reload_plan *plan)
{
    char error[1024];
    if (serving_load_all(plan->conf, plan_fault, plan, &plan->servings) != 0)
        return;
    model_check_log(plan->conf, plan->servings);
    tap_check_log(plan->conf, plan->servings);
    if (engine_prepare(plan->loop->engine, plan->servings, plan->conf->n_models) != 0)
        reload_fault(plan, "out of memory");
    for (struct serving *serving = NULL;
         (serving = serving_each(plan->servings, plan->conf->n_models, serving)) != NULL;) {
        if (journal_keep(plan->loop->journal, serving, error, sizeof(error)) != 0)
            reload_fault(plan, error);
        serving_forget_file(serving);
    }
}

static void plan_tap(struct reload_plan *plan, const struct conf_tap *conf, struct tap *old)
{
    struct sock_error error;
    struct tap *tap = tap_new(conf, plan->servings, plan->conf->n_models);
    if (tap == NULL) {
        reload_fault(plan, "out of memory");
        return;
    }
    plan->taps[plan->n_taps] = tap;
    plan->old_taps[plan->n_taps++] = old;
    if (old != NULL)
        plan_listen_more(plan, old->sock, &conf->listen, &old->conf->listen);
    else if (tap_open(tap, &error) != 0)
        reload_fault(plan, error.text);
}

static void plan_taps(struct reload_plan *plan)
{
    struct taps *taps = &plan->loop->taps;
    plan->taps = calloc(TAPS_MAX + 1, sizeof(struct tap *));
    plan->old_taps = calloc(TAPS_MAX + 1, sizeof(struct tap *));
    if (plan->taps == NULL || plan->old_taps == NULL) {
        reload_fault(plan, "out of memory");
        return;
    }
    for (size_t i = 0; i < plan->conf->n_taps; i++) {
        struct tap *old = taps_find(taps, plan->conf->taps[i].name);
        if (old != NULL && old->owned != NULL)
            reload_fault(plan, "a tap's name is in use by one opened by request; close that");
        else if (old != NULL && old->conf->queue != plan->conf->taps[i].queue)
            plan_tap(plan, &plan->conf->taps[i], NULL); /* a socket's queue cannot change */
        else
            plan_tap(plan, &plan->conf->taps[i], old);
    }
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL && taps->list[i]->owned != NULL)
            plan_tap(plan, taps->list[i]->owned, taps->list[i]);
}

/* The old ingest of the same kind with a URL in common, that nobody has taken yet. */
static size_t plan_old_ingest(const struct reload_plan *plan, const struct conf_ingest *ingest,
                              size_t n_planned)
{
    const struct conf *old = plan->loop->conf;
    for (size_t i = 0; i < old->n_ingest; i++) {
        bool free = old->ingest[i].kind == ingest->kind;
        for (size_t j = 0; j < n_planned; j++)
            free = free && plan->ingest[j] != plan->loop->doors.ingest[i];
        for (size_t j = 0; free && j < ingest->listen.n; j++)
            if (reload_has(&old->ingest[i].listen, ingest->listen.items[j]))
                return i;
    }
    return SIZE_MAX;
}

static void plan_ingest(struct reload_plan *plan)
{
    const struct loop *loop = plan->loop;
    const struct conf *conf = plan->conf;
    struct sock_error error;
    plan->ingest = calloc(conf->n_ingest + 1, sizeof(struct sock *));
    plan->ingest_kept = calloc(conf->n_ingest + 1, sizeof(bool));
    if (plan->ingest == NULL || plan->ingest_kept == NULL) {
        reload_fault(plan, "out of memory");
        return;
    }
    if (conf->n_ingest > DOORS_INGEST_MAX) {
        reload_fault(plan, "there are too many ingest entries; remove some");
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
            reload_fault(plan, error.text);
        }
    }
}

void reload_plan_make(struct reload_plan *plan)
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

void reload_plan_free(struct reload_plan *plan)
{
    serving_free_all(plan->servings, plan->conf->n_models);
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

void reload_plan_take_back(struct reload_plan *plan)
{
    const struct taps *taps = &plan->loop->taps;
    doors_each(&plan->loop->doors, plan_rollback_sock, NULL);
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL)
            sock_listen_rollback(taps->list[i]->sock);
    reload_plan_free(plan);
}
