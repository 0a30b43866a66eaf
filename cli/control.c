/* control.c - questions to the running daemon: one map out, one map back. */
#include "cli/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/dial.h"
#include "cli/say.h"

#define CONTROL_URL         "ipc:///run/celltap/control.ipc"
#define CONTROL_WAIT_MS     10000 /* for an answer */
#define CONTROL_REQUEST_MAX 65536 /* bytes */

struct control {
    struct dial *dial; /* owned */
    struct celltap_writer writer;
    unsigned char request[CONTROL_REQUEST_MAX];
};

int control_open(const char *url, struct control **ret_control, char *ret_error)
{
    const char *named = url ? url : getenv("CELLTAP_CONTROL");
    struct control *control = calloc(1, sizeof *control);
    if (!control) {
        snprintf(ret_error, CONTROL_ERROR_MAX, "out of memory");
        return -1;
    }
    if (dial_open(DIAL_REQUEST, named && *named ? named : CONTROL_URL, 0, NULL, &control->dial,
                  ret_error) < 0) {
        control_close(control);
        return -1;
    }
    *ret_control = control;
    return 0;
}

void control_close(struct control *control)
{
    if (!control)
        return;
    dial_close(control->dial);
    free(control);
}

struct celltap_writer *control_begin(struct control *control, const char *cmd, size_t n_keys)
{
    control->writer = (struct celltap_writer){.at = control->request,
                                              .end = control->request + sizeof control->request};
    celltap_put_map(&control->writer, 1 + n_keys);
    celltap_put_str(&control->writer, "cmd");
    celltap_put_str(&control->writer, cmd);
    return &control->writer;
}

void control_put_globs(struct celltap_writer *writer, const char *key, const char *globs)
{
    size_t n = 1;
    for (const char *at = globs; *at; at++)
        n += *at == ',';
    celltap_put_str(writer, key);
    celltap_put_array(writer, n);
    for (const char *at = globs; n > 0; n--) {
        size_t n_bytes = strcspn(at, ",");
        celltap_put_strn(writer, at, n_bytes);
        at += n_bytes + 1;
    }
}

int control_send(struct control *control, char *ret_error)
{
    if (control->writer.full) {
        snprintf(ret_error, CONTROL_ERROR_MAX, "the request is too long");
        return -1;
    }
    return dial_request(control->dial, control->request,
                        (size_t)(control->writer.at - control->request), CONTROL_WAIT_MS,
                        ret_error);
}

int control_receive(struct control *control, struct control_reply *ret_reply, char *ret_error)
{
    const unsigned char *reply, *at;
    struct celltap_token token;
    size_t n_bytes;
    if (dial_reply(control->dial, CONTROL_WAIT_MS, &reply, &n_bytes, ret_error) < 0)
        return -1;
    *ret_reply = (struct control_reply){reply, reply + n_bytes};
    at = reply;
    if (celltap_token_read(&at, ret_reply->end, &token) < 0 || token.kind != CELLTAP_TOKEN_MAP) {
        snprintf(ret_error, CONTROL_ERROR_MAX,
                 "the answer is not of a celltapd's kind; is it one?");
        return -1;
    }
    if (celltap_map_find(reply, ret_reply->end, "error", &token, NULL) == 0 &&
        token.kind == CELLTAP_TOKEN_STR) {
        snprintf(ret_error, CONTROL_ERROR_MAX, "%.*s",
                 (int)(token.n_bytes < CONTROL_ERROR_MAX ? token.n_bytes : CONTROL_ERROR_MAX),
                 (const char *)token.bytes);
        return CONTROL_REFUSED;
    }
    return 0;
}

int control_ask(struct control *control, struct control_reply *ret_reply, char *ret_error)
{
    if (control_send(control, ret_error) < 0)
        return -1;
    return control_receive(control, ret_reply, ret_error);
}

/* ---- replies ------------------------------------------------------------------------------- */

uint64_t control_count(const unsigned char *map, const unsigned char *end, const char *key)
{
    struct celltap_token token;
    return celltap_map_find(map, end, key, &token, NULL) == 0 && token.kind == CELLTAP_TOKEN_UINT
               ? token.uint
               : 0;
}

double control_number(const unsigned char *map, const unsigned char *end, const char *key)
{
    struct celltap_token token;
    if (celltap_map_find(map, end, key, &token, NULL) < 0)
        return 0;
    if (token.kind == CELLTAP_TOKEN_UINT)
        return (double)token.uint;
    if (token.kind == CELLTAP_TOKEN_INT)
        return (double)token.sint;
    return token.kind == CELLTAP_TOKEN_FLOAT ? token.number : 0;
}

char *control_text(const unsigned char *map, const unsigned char *end, const char *key,
                   char *ret_text, size_t size)
{
    struct celltap_token token;
    *ret_text = '\0';
    if (celltap_map_find(map, end, key, &token, NULL) == 0 && token.kind == CELLTAP_TOKEN_STR)
        say_clean((const char *)token.bytes, token.n_bytes, ret_text, size);
    return ret_text;
}

size_t control_items(const unsigned char *map, const unsigned char *end, const char *key,
                     const unsigned char **ret_first)
{
    struct celltap_token token;
    const unsigned char *at;
    if (celltap_map_find(map, end, key, &token, &at) < 0 || token.kind != CELLTAP_TOKEN_ARRAY)
        return 0;
    *ret_first = at;
    celltap_token_read(ret_first, end, &token);
    return token.n_items;
}
