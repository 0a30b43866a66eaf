/* conf_listen.c - the URLs of the whole configuration, as one list of listeners.
 *
 *     ingest[] taps[] control --> listener[]: derive, form, loopback, twice? */
#include "daemon/conf_listen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf_url.h"

struct listener {
    struct conf_texts *listen; /* borrowed */
    const char *name;          /* borrowed: of the socket in runtime_dir, without .ipc */
    bool insecure;
    unsigned line;
};

static size_t list(struct conf *conf, struct listener *ret_listeners)
{
    static const char *const names[] = {
        [CONF_INGEST_PULL] = "ingest", [CONF_INGEST_REP] = "ingest-ack"};
    struct listener *at = ret_listeners;
    for (size_t i = 0; i < conf->n_ingest; i++) {
        struct conf_ingest *ingest = &conf->ingest[i];
        *at++ =
            (struct listener){&ingest->listen, names[ingest->kind], ingest->insecure, ingest->line};
    }
    for (size_t i = 0; i < conf->n_taps; i++) {
        struct conf_tap *tap = &conf->taps[i];
        *at++ = (struct listener){&tap->listen, tap->name, tap->insecure, tap->line};
    }
    *at++ = (struct listener){&conf->control_listen, "control", conf->control_insecure, 0};
    return (size_t)(at - ret_listeners);
}

/* The default of `listen:`. */
static int derive(const struct conf *conf, struct listener *listener)
{
    struct conf_texts *listen = listener->listen;
    listen->items = calloc(1, sizeof *listen->items);
    if (listen->items == NULL)
        return -1;
    listen->n = 1;
    if (asprintf(&listen->items[0], "ipc://%s/%s.ipc", conf->runtime_dir, listener->name) >= 0)
        return 0;
    listen->items[0] = NULL;
    return -1;
}

static void check_url(struct conf_read *read, const struct listener *listener,
                      const char *runtime_dir, const char *url)
{
    struct conf_place place = conf_read_place(read, url, listener->line);
    const char *fault = conf_url_fault(url);
    if (fault != NULL) /* only a derived one: others were refused when read */
        conf_report_add(read->report, conf_read_place(read, runtime_dir, 0), "`%s` %s", url, fault);
    else if (conf_url_is_remote(url) && !listener->insecure)
        conf_report_add(read->report, place,
                        "`%s` can be reached from other machines, unencrypted; use ipc:// or "
                        "loopback, or allow it with `insecure: true` (TLS is not in this release)",
                        url);
}

/* ---- twice? ------------------------------------------------------------------------------- */

struct use {
    const char *url; /* borrowed */
    struct conf_place place;
};

static int by_url(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    int order = strcmp(x->url, y->url);
    if (order != 0 || x->place.line == y->place.line)
        return order != 0
                   ? order
                   : (x->place.column > y->place.column) - (x->place.column < y->place.column);
    return x->place.line < y->place.line ? -1 : 1;
}

static void check_twice(struct conf_read *read, struct use *uses, size_t n)
{
    qsort(uses, n, sizeof *uses, by_url);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(uses[i - 1].url, uses[i].url) != 0)
            continue;
        char first[32] = "by a default";
        if (uses[i - 1].place.line > 0)
            snprintf(first, sizeof first, "in line %u", uses[i - 1].place.line);
        conf_report_add(read->report, uses[i].place,
                        "`%s` is listened on twice, first %s; give each `listen:` its own URL",
                        uses[i].url, first);
    }
}

static size_t count_urls(const struct listener *listeners, size_t n)
{
    size_t n_urls = 0;
    for (size_t i = 0; i < n; i++)
        n_urls += listeners[i].listen->n;
    return n_urls;
}

static void check_all(struct conf_read *read, const struct listener *listeners, size_t n,
                      const char *runtime_dir)
{
    size_t n_uses = 0;
    struct use *uses = calloc(count_urls(listeners, n) + 1, sizeof *uses);
    if (uses == NULL) {
        read->report->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < listeners[i].listen->n; j++) {
            const char *url = listeners[i].listen->items[j];
            if (url == NULL) /* refused when read */
                continue;
            check_url(read, &listeners[i], runtime_dir, url);
            uses[n_uses++] = (struct use){url, conf_read_place(read, url, listeners[i].line)};
        }
    check_twice(read, uses, n_uses);
    free(uses);
}

void conf_listen_check(struct conf_read *read, struct conf *conf)
{
    struct listener *listeners = calloc(conf->n_ingest + conf->n_taps + 1, sizeof *listeners);
    if (listeners == NULL) {
        read->report->out_of_memory = true;
        return;
    }
    size_t n = list(conf, listeners);
    for (size_t i = 0; i < n; i++)
        if (listeners[i].listen->n == 0 && listeners[i].name != NULL && conf->runtime_dir != NULL &&
            derive(conf, &listeners[i]) < 0)
            read->report->out_of_memory = true;
    if (!read->report->out_of_memory)
        check_all(read, listeners, n, conf->runtime_dir);
    free(listeners);
}
