/* control_act.c - the commands that change something: tap.open, tap.close, reset, reload, replay. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control_priv.h"
#include "daemon/log.h"
#include "daemon/reload.h"
#include "daemon/tap_check.h"

#define TAP_QUEUE 4096 /* messages per subscriber, as the configuration's default */

/* ---- tap.open ----------------------------------------------------------------------------- */

struct choice {
    const char *text;
    int value;
};

static int control_get_choice(struct control_request *request, const char *key,
                              const struct choice *choices, int *ret_value)
{
    char text[16];
    int found = control_get_text(request, key, text, sizeof(text));
    if (found != 1)
        return found;
    for (; choices->text != NULL; choices++) {
        if (strcmp(choices->text, text) == 0) {
            *ret_value = choices->value;
            return 1;
        }
    }
    return control_fail(request, "`%s` has an unknown value; celltapd.yaml(5) lists them", key);
}

static int control_get_texts_or(struct control_request *request, const char *key,
                                const char *fallback, struct conf_texts *ret_texts)
{
    int found = control_get_texts(request, key, ret_texts);
    if (found != 0)
        return found < 0 ? -1 : 0;
    ret_texts->items = calloc(1, sizeof(char *));
    if (ret_texts->items == NULL || (ret_texts->items[0] = strdup(fallback)) == NULL)
        return control_fail(request, "out of memory");
    ret_texts->n = 1;
    return 0;
}

static int control_read_tap(struct control_request *request, struct conf_tap *tap)
{
    static const struct choice groups[] = {{"tap", CONF_GROUP_TAP},
                                           {"stream", CONF_GROUP_STREAM},
                                           {"layer", CONF_GROUP_LAYER},
                                           {NULL, 0}};
    static const struct choice layouts[] = {
        {"bin", CONF_LAYOUT_BIN}, {"array", CONF_LAYOUT_ARRAY}, {NULL, 0}};
    static const struct choice dtypes[] = {
        {"<f4", CONF_DTYPE_F4}, {"<f2", CONF_DTYPE_F2}, {NULL, 0}};
    static const struct choice kinds[] = {{"activations", CONF_KIND_ACTIVATIONS},
                                          {"scores", CONF_KIND_SCORES},
                                          {"anomalies", CONF_KIND_ANOMALIES},
                                          {NULL, 0}};
    int kind = CONF_KIND_ACTIVATIONS, group = CONF_GROUP_LAYER, layout = CONF_LAYOUT_BIN;
    int dtype = CONF_DTYPE_F4;
    tap->every = 1;
    tap->queue = TAP_QUEUE;
    if (control_get_texts_or(request, "streams", "*", &tap->streams) < 0 ||
        control_get_texts_or(request, "layers", "*", &tap->layers) < 0 ||
        control_get_texts_or(request, "tensors", "output", &tap->tensors) < 0 ||
        control_get_uint(request, "every", &tap->every, 1, UINT32_MAX) < 0 ||
        control_get_choice(request, "kind", kinds, &kind) < 0 ||
        control_get_choice(request, "group", groups, &group) < 0 ||
        control_get_choice(request, "encoding", layouts, &layout) < 0 ||
        control_get_choice(request, "dtype", dtypes, &dtype) < 0)
        return -1;
    if (layout == CONF_LAYOUT_ARRAY && dtype == CONF_DTYPE_F2)
        return control_fail(request, "`encoding: array` holds float32; leave `dtype` out");
    tap->kind = (enum conf_kind)kind;
    tap->group = (enum conf_group)group;
    tap->layout = (enum conf_layout)layout;
    tap->dtype = (enum conf_dtype)dtype;
    tap->encoding = layout == CONF_LAYOUT_ARRAY ? CELLTAP_ENCODING_ARRAY
                    : dtype == CONF_DTYPE_F2    ? CELLTAP_ENCODING_F2
                                                : CELLTAP_ENCODING_F4;
    conf_tap_settle(tap);
    return 0;
}

static int control_name_tap(struct control_request *request, struct conf_tap *tap)
{
    struct loop *loop = request->loop;
    char name[32];
    do
        snprintf(name, sizeof(name), "tap-%llu", (unsigned long long)++loop->taps.n_opened);
    while (taps_find(&loop->taps, name) != NULL);
    tap->name = strdup(name);
    tap->listen.items = calloc(1, sizeof(char *));
    if (tap->name == NULL || tap->listen.items == NULL ||
        asprintf(&tap->listen.items[0], "ipc://%s/%s.ipc", loop->conf->runtime_dir, name) < 0)
        return control_fail(request, "out of memory");
    tap->listen.n = 1;
    return 0;
}

static bool control_is_any_watched(const struct engine *engine)
{
    size_t n;
    struct serving *const *servings = engine_servings(engine, &n);
    for (size_t i = 0; i < n; i++)
        if (servings[i]->detector != NULL)
            return true;
    return false;
}

static int control_start_tap(struct control_request *request, struct conf_tap *owned)
{
    struct loop *loop = request->loop;
    struct sock_error error = {"out of memory"};
    size_t n_servings;
    struct serving *const *servings = engine_servings(loop->engine, &n_servings);
    struct tap *tap = tap_new(owned, servings, n_servings);
    if (tap == NULL || tap_open(tap, &error) != 0 || sock_listen_commit(tap->sock, &error) != 0) {
        tap_free(tap);
        return control_fail(request, "%s", error.text);
    }
    tap->owned = owned;
    if (taps_add(&loop->taps, tap) != 0) {
        tap->owned = NULL;
        tap_free(tap);
        return control_fail(request, "there are too many taps; close one");
    }
    log_line(LOG_LEVEL_INFO, "tap %s opened", owned->name);
    request->result = owned;
    return 0;
}

/* The first of them, for the reply. */
static void control_keep_warning(void *arg, const char *text)
{
    struct control_request *request = arg;
    if (request->error[0] == '\0')
        snprintf(request->error, sizeof(request->error), "%s", text);
}

int control_tap_open(struct control_request *request)
{
    if (request->loop->phase != LOOP_RUNNING)
        return control_fail(request, "celltapd is ending");
    if (taps_n_dynamic(&request->loop->taps) == TAPS_DYNAMIC_MAX)
        return control_fail(request, "%d taps are open by request; close one", TAPS_DYNAMIC_MAX);
    struct conf_tap *owned = calloc(1, sizeof(*owned));
    if (owned == NULL)
        return control_fail(request, "out of memory");
    int code = control_read_tap(request, owned);
    if (code == 0 && owned->kind != CONF_KIND_ACTIVATIONS &&
        !control_is_any_watched(request->loop->engine))
        code =
            control_fail(request, "no model is watched; give it `detector: {}` in %s, and reload",
                         request->loop->conf->path);
    if (code == 0 && control_name_tap(request, owned) == 0 &&
        control_start_tap(request, owned) == 0) {
        size_t n;
        struct serving *const *servings = engine_servings(request->loop->engine, &n);
        tap_check_one(owned, servings, n, control_keep_warning, request);
        return 0;
    }
    tap_conf_free(owned);
    return -1;
}

void control_tap_open_write(struct control_request *request, struct celltap_writer *writer)
{
    const struct conf_tap *tap = request->result;
    celltap_put_map(writer, 3);
    control_put_text(writer, "name", tap->name);
    control_put_text(writer, "url", tap->listen.items[0]);
    celltap_put_str(writer, "warning");
    if (request->error[0] != '\0')
        celltap_put_str(writer, request->error);
    else
        celltap_put_nil(writer);
}

int control_tap_close(struct control_request *request)
{
    int found = control_get_text(request, "name", request->name, sizeof(request->name));
    if (found < 0)
        return -1;
    struct tap *tap = found == 1 ? taps_find(&request->loop->taps, request->name) : NULL;
    if (tap == NULL)
        return control_fail(request, "`name` is not that of a tap; `status` lists them");
    if (tap->owned == NULL)
        return control_fail(request, "this tap is of the configuration; remove it there");
    log_line(LOG_LEVEL_INFO, "tap %s closed by request", tap->conf->name);
    taps_close(&request->loop->taps, tap);
    return 0;
}

/* ---- reset, rewarm, reload ------------------------------------------------------------------------ */

/* The stream's next frame starts afresh, with rewarm its detector too. */
static int control_restart(struct loop *loop, const char *name, bool rewarm)
{
    size_t n_bytes = strlen(name);
    if (engine_reset(loop->engine, name, n_bytes, rewarm) != 0)
        return -1;
    journal_put_reset(loop->journal, streams_find(engine_streams(loop->engine), name, n_bytes),
                      rewarm);
    return 0;
}

int control_reset(struct control_request *request)
{
    bool rewarm = false;
    struct loop *loop = request->loop;
    int found = control_get_text(request, "stream", request->name, sizeof(request->name));
    if (found < 0 || control_get_bool(request, "detector", &rewarm) < 0)
        return -1;
    if (found == 0 ||
        streams_find(engine_streams(loop->engine), request->name, strlen(request->name)) == NULL)
        return control_fail(request, "`stream` is not that of a stream; `streams` lists them");
    if (control_restart(loop, request->name, rewarm) != 0)
        return control_fail(request, "the stream has no detector; leave `detector` out");
    return 0;
}

int control_rewarm(struct control_request *request)
{
    struct loop *loop = request->loop;
    const struct streams *streams = engine_streams(loop->engine);
    int found = control_get_text(request, "stream", request->name, sizeof(request->name));
    if (found < 0)
        return -1;
    for (size_t i = 0; found == 1 && i < streams->n; i++)
        if (fnmatch(request->name, streams->list[i]->name, 0) == 0 &&
            control_restart(loop, streams->list[i]->name, true) == 0)
            request->n_streams++;
    if (request->n_streams == 0)
        return control_fail(request, "`stream` is no name or glob of a stream that is watched; "
                                     "`streams` lists them");
    return 0;
}

void control_rewarm_write(struct control_request *request, struct celltap_writer *writer)
{
    celltap_put_map(writer, 2);
    celltap_put_str(writer, "ok");
    celltap_put_bool(writer, true);
    control_put_uint(writer, "streams", request->n_streams);
}

int control_reload(struct control_request *request)
{
    struct reload_report report;
    int code = reload_run(request->loop, &report);
    request->owned = report.text; /* the changes, or the errors */
    if (request->owned == NULL)
        return control_fail(request, "out of memory");
    return code;
}

void control_reload_write(struct control_request *request, struct celltap_writer *writer)
{
    const char *text = request->owned;
    size_t n = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        n++;
    celltap_put_map(writer, 2);
    celltap_put_str(writer, "ok");
    celltap_put_bool(writer, true);
    celltap_put_str(writer, "changes");
    celltap_put_array(writer, n);
    for (size_t i = 0; i < n; i++) {
        const char *end = strchr(text, '\n');
        celltap_put_strn(writer, text, (size_t)(end - text));
        text = end + 1;
    }
}

int control_snapshot(struct control_request *request)
{
    if (request->loop->journal == NULL)
        return control_fail(request, "there is no journal; the configuration says `journal: off`");
    journal_save(request->loop->journal);
    return 0;
}

static int control_read_replay(struct control_request *request, struct past_wish *wish)
{
    int found = control_get_text(request, "stream", wish->stream, sizeof(wish->stream));
    if (found == 0)
        return control_fail(request, "`stream` is missing");
    if (found < 0 || control_get_uint(request, "from", &wish->from, 0, UINT64_MAX) < 0 ||
        control_get_uint(request, "to", &wish->to, 0, UINT64_MAX) < 0 ||
        control_get_uint(request, "cursor", &wish->from, 0, UINT64_MAX) < 0 ||
        control_get_uint(request, "every", &wish->every, 1, UINT64_MAX) < 0 ||
        control_get_uint(request, "limit", &wish->limit, 1, UINT64_MAX) < 0)
        return -1;
    static const struct choice kinds[] = {
        {"activations", CONF_KIND_ACTIVATIONS}, {"scores", CONF_KIND_SCORES}, {NULL, 0}};
    int kind = CONF_KIND_ACTIVATIONS;
    if (control_get_choice(request, "kind", kinds, &kind) < 0)
        return -1;
    wish->scores = kind == CONF_KIND_SCORES;
    int from_ts = control_get_int(request, "from_ts", &wish->from_ts);
    int to_ts = control_get_int(request, "to_ts", &wish->to_ts);
    wish->by_time = from_ts == 1 || to_ts == 1;
    if (from_ts < 0 || to_ts < 0 ||
        control_get_texts_or(request, "layers", "*", &wish->layers) < 0 ||
        control_get_texts_or(request, "tensors", "*", &wish->tensors) < 0)
        return -1;
    return 0;
}

int control_replay(struct control_request *request)
{
    struct past_wish wish = {.from = 1,
                             .to = UINT64_MAX,
                             .from_ts = INT64_MIN,
                             .to_ts = INT64_MAX,
                             .every = 1,
                             .limit = UINT64_MAX};
    if (request->loop->replays == NULL)
        return control_fail(request, "there is no journal; the configuration says `journal: off`");
    if (control_read_replay(request, &wish) == 0) {
        if (replays_ask(request->loop->replays, &wish, request->reply) == 0)
            return CONTROL_TAKEN;
        control_fail(request, "too many replays wait; ask again later");
    }
    control_texts_done(&wish.layers);
    control_texts_done(&wish.tensors);
    return -1;
}
