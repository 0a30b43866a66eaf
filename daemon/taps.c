/* taps.c - all taps: those of the configuration and those opened by request.
 *
 *     list[64]   tap i is bit i of stream->taps
 *
 * A tap that is closed leaves a hole, so the others keep their bits; every change gives the list a
 * new version, and streams look again when their next frame comes. */
#include "daemon/taps.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/shell.h"
#include "daemon/tap_verdict.h"

static uint64_t taps_of_stream(const struct taps *taps, struct stream *stream)
{
    if (stream->taps_version == taps->version)
        return stream->taps;
    stream->taps = 0;
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL && conf_match(&taps->list[i]->conf->streams, stream->name))
            stream->taps |= UINT64_C(1) << i;
    stream->taps_version = taps->version;
    return stream->taps;
}

static void taps_stepped(void *arg, size_t shard_ix, const struct serving *serving,
                         const struct engine_column *columns, size_t n_columns, size_t n_turn_left)
{
    static void (*const puts[])(struct tap * tap, size_t shard, const struct serving *of,
                                size_t column_ix, const struct engine_column *column,
                                size_t n_left) = {
        [CONF_KIND_ACTIVATIONS] = tap_put,
        [CONF_KIND_SCORES] = tap_verdict_score,
        [CONF_KIND_ANOMALIES] = tap_verdict_anomaly,
    };
    struct taps *taps = arg;
    for (size_t i = 0; i < TAPS_MAX; i++) {
        struct tap *tap = taps->list[i];
        if (tap == NULL || sock_n_peers(tap->sock) == 0)
            continue;
        bool together = tap->conf->group == CONF_GROUP_TAP;
        for (size_t j = 0; j < n_columns; j++) {
            if ((taps_of_stream(taps, columns[j].stream) >> i & 1) == 0 ||
                columns[j].seq % tap->conf->every != 0)
                continue;
            puts[tap->conf->kind](tap, shard_ix, serving, j, &columns[j],
                                  together ? n_turn_left + n_columns - 1 - j : columns[j].n_left);
        }
    }
}

static void taps_left(void *arg, size_t shard_ix, size_t slot)
{
    struct taps *taps = arg;
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL)
            tap_slot_left(taps->list[i], shard_ix, slot);
}

struct engine_sink taps_sink(struct taps *taps)
{
    return (struct engine_sink){.arg = taps, .stepped = taps_stepped, .left = taps_left};
}

void taps_turn_end(struct taps *taps, size_t shard_ix)
{
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL)
            tap_turn_end(taps->list[i], shard_ix);
}

size_t taps_n_dynamic(const struct taps *taps)
{
    size_t n = 0;
    for (size_t i = 0; i < TAPS_MAX; i++)
        n += taps->list[i] != NULL && taps->list[i]->owned != NULL;
    return n;
}

void taps_set_replay(struct taps *taps, const struct conf_texts *control_listen)
{
    const char *url = NULL; /* a path: with tcp, who may dial is on another machine as well */
    for (size_t i = 0; i < control_listen->n && url == NULL; i++)
        if (strncmp(control_listen->items[i], "ipc://", 6) == 0)
            url = control_listen->items[i];
    taps->has_journal = true;
    taps->control[0] = '\0';
    if (url == NULL || strcmp(url, TAPS_CONTROL_DEFAULT) == 0)
        return;
    stpcpy(shell_put_word(stpcpy(taps->control, "--control "), url), " ");
}

int taps_add(struct taps *taps, struct tap *tap)
{
    size_t i = 0;
    if (tap->owned != NULL && taps_n_dynamic(taps) == TAPS_DYNAMIC_MAX)
        return -1;
    while (i < TAPS_MAX && taps->list[i] != NULL)
        i++;
    if (i == TAPS_MAX)
        return -1;
    tap->control = taps->has_journal ? taps->control : NULL;
    taps->list[i] = tap;
    taps->version++;
    return 0;
}

int taps_grow(struct taps *taps, const struct serving *serving)
{
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL && tap_grow(taps->list[i], serving) != 0)
            return -1;
    return 0;
}

struct tap *taps_find(const struct taps *taps, const char *name)
{
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL && strcmp(taps->list[i]->conf->name, name) == 0)
            return taps->list[i];
    return NULL;
}

void taps_close(struct taps *taps, struct tap *tap)
{
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] == tap)
            taps->list[i] = NULL;
    taps->version++;
    tap_free(tap);
}

void taps_done(struct taps *taps)
{
    for (size_t i = 0; i < TAPS_MAX; i++)
        tap_free(taps->list[i]);
    *taps = (struct taps){0};
}

static bool tap_is_unwanted(struct tap *tap, uint64_t now_ms)
{
    if (sock_n_peers(tap->sock) > 0) {
        tap->alone_since_ms = 0;
        return false;
    }
    if (tap->alone_since_ms == 0)
        tap->alone_since_ms = now_ms;
    return now_ms - tap->alone_since_ms >=
           (sock_had_peer(tap->sock) ? TAPS_LEFT_MS : TAPS_NEVER_MS);
}

void taps_expire(struct taps *taps, uint64_t now_ms)
{
    for (size_t i = 0; i < TAPS_MAX; i++) {
        struct tap *tap = taps->list[i];
        if (tap == NULL || tap->owned == NULL || !tap_is_unwanted(tap, now_ms))
            continue;
        log_line(LOG_LEVEL_INFO, "tap %s closed: no subscriber", tap->conf->name);
        taps_close(taps, tap);
    }
}
