/* tap.c - a tap opened on the running daemon, and its records. */
#include "cli/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/dial.h"
#include "cli/say.h"

#define TAP_WAIT_MS   2000 /* for the tap's socket, which is there when the daemon answers */
#define TAP_NAME_MAX  128  /* bytes */
#define TAP_NAMES_MAX 64   /* tensors with different names */
#define TAP_GLOB_MAX  256  /* bytes */

struct tap {
    struct control *control; /* owned */
    struct dial *records;    /* owned */
    char name[TAP_NAME_MAX]; /* as the daemon calls it */
    struct records values;
};

/* ---- opening ------------------------------------------------------------------------------- */

static int tap_ask(struct tap *tap, const struct tap_selection *selection, char *ret_url,
                   size_t size, char *ret_error)
{
    struct celltap_writer *writer = control_begin(tap->control, "tap.open", 6);
    struct control_reply reply;
    char warning[1024];
    celltap_put_str(writer, "kind");
    celltap_put_str(writer, selection->kind);
    control_put_globs(writer, "streams", selection->streams);
    control_put_globs(writer, "layers", selection->layers);
    control_put_globs(writer, "tensors", selection->tensors);
    celltap_put_str(writer, "every");
    celltap_put_uint(writer, selection->every);
    celltap_put_str(writer, "group"); /* one topic: as few messages as can be */
    celltap_put_str(writer, "tap");
    if (control_ask(tap->control, &reply, ret_error) < 0)
        return -1;
    control_text(reply.map, reply.end, "name", tap->name, sizeof tap->name);
    control_text(reply.map, reply.end, "url", ret_url, size);
    if (*control_text(reply.map, reply.end, "warning", warning, sizeof warning))
        say_error("%s; waiting all the same", warning);
    return 0;
}

int tap_open(const char *control_url, const struct tap_selection *selection, struct tap **ret_tap,
             char *ret_error)
{
    char url[512];
    struct tap *tap = calloc(1, sizeof *tap);
    if (!tap) {
        snprintf(ret_error, CONTROL_ERROR_MAX, "out of memory");
        return -1;
    }
    if (control_open(control_url, &tap->control, ret_error) < 0 ||
        tap_ask(tap, selection, url, sizeof url, ret_error) < 0 ||
        dial_open(DIAL_SUBSCRIBE, url, TAP_WAIT_MS, NULL, &tap->records, ret_error) < 0) {
        tap_close(tap);
        return -1;
    }
    *ret_tap = tap;
    return 0;
}

void tap_close(struct tap *tap)
{
    struct control_reply reply;
    char unused[CONTROL_ERROR_MAX];
    if (!tap)
        return;
    dial_close(tap->records);
    if (*tap->name) { /* should this fail, the daemon closes it after a while */
        struct celltap_writer *writer = control_begin(tap->control, "tap.close", 1);
        celltap_put_str(writer, "name");
        celltap_put_str(writer, tap->name);
        control_ask(tap->control, &reply, unused);
    }
    control_close(tap->control);
    records_done(&tap->values);
    free(tap);
}

int tap_fd(struct tap *tap)
{
    return dial_fd(tap->records);
}

bool tap_is_connected(const struct tap *tap)
{
    return dial_is_connected(tap->records);
}

/* ---- records ------------------------------------------------------------------------------- */

int tap_take(struct tap *tap, records_on_tensor on_tensor, void *arg, char *ret_error)
{
    const unsigned char *at, *end;
    size_t n_bytes;
    int code = dial_take(tap->records, &at, &n_bytes, ret_error);
    if (code <= 0)
        return code;
    end = at + n_bytes;
    at = memchr(at, '\0', n_bytes); /* the topic */
    code = at ? records_each(&tap->values, at + 1, end, on_tensor, arg) : 1;
    if (code < 0)
        snprintf(ret_error, CONTROL_ERROR_MAX, "out of memory");
    return code;
}

int tap_take_maps(struct tap *tap, tap_on_map on_map, void *arg, char *ret_error)
{
    const unsigned char *at, *end;
    size_t n_bytes;
    int code = dial_take(tap->records, &at, &n_bytes, ret_error);
    if (code <= 0)
        return code;
    end = at + n_bytes;
    at = memchr(at, '\0', n_bytes); /* the topic */
    for (at = at ? at + 1 : end; at < end;) {
        const unsigned char *map = at;
        if (celltap_token_skip(&at, end) < 0)
            break;
        if (!on_map(arg, map, at))
            return 0;
    }
    return 1;
}

/* ---- names of tensors ---------------------------------------------------------------------- */

static void tap_add_name(char **names, size_t *n, const char *text)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(names[i], text) == 0)
            return;
    if (*n < TAP_NAMES_MAX && (names[*n] = strdup(text)))
        ++*n;
}

static void tap_add_layer(char **names, size_t *n, const unsigned char *layer,
                          const unsigned char *end)
{
    char text[TAP_NAME_MAX];
    const unsigned char *tensor = NULL;
    if (*control_text(layer, end, "name", text, sizeof text) == '@')
        return;
    for (size_t i = control_items(layer, end, "tensors", &tensor); i > 0; i--) {
        tap_add_name(names, n, control_text(tensor, end, "name", text, sizeof text));
        if (celltap_token_skip(&tensor, end) < 0)
            return;
    }
}

static void tap_add_model(struct tap *tap, char **names, size_t *n, const char *model)
{
    struct celltap_writer *writer = control_begin(tap->control, "model", 1);
    struct control_reply reply;
    const unsigned char *layer = NULL;
    char unused[CONTROL_ERROR_MAX];
    celltap_put_str(writer, "model");
    celltap_put_str(writer, model);
    if (control_ask(tap->control, &reply, unused) < 0)
        return;
    for (size_t i = control_items(reply.map, reply.end, "layers", &layer); i > 0; i--) {
        tap_add_layer(names, n, layer, reply.end);
        if (celltap_token_skip(&layer, reply.end) < 0)
            return;
    }
}

char **tap_tensor_names(struct tap *tap)
{
    char models[TAP_NAMES_MAX][TAP_NAME_MAX], unused[CONTROL_ERROR_MAX];
    struct control_reply reply;
    const unsigned char *model = NULL;
    size_t n = 0, n_models = 0;
    char **names = calloc(TAP_NAMES_MAX + 1, sizeof *names);
    control_begin(tap->control, "status", 0);
    if (!names || control_ask(tap->control, &reply, unused) < 0)
        return names;
    for (size_t i = control_items(reply.map, reply.end, "models", &model);
         i > 0 && n_models < TAP_NAMES_MAX; i--) {
        control_text(model, reply.end, "name", models[n_models++], TAP_NAME_MAX);
        if (celltap_token_skip(&model, reply.end) < 0)
            break;
    }
    tap_add_name(names, &n, "output");
    for (size_t i = 0; i < n_models; i++)
        tap_add_model(tap, names, &n, models[i]);
    return names;
}
