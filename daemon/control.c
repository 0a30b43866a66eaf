/* control.c - requests to the running daemon: found in a table, answered with one map.
 *
 *     request --> cmd --> row --> act (once) --> write (again with more room, if need be) --> reply
 *
 * Requests are hostile until read: every value is taken by its type, every length is bounded, and
 * whatever is wrong is said in {"error": ...}. */
#include "daemon/control.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control_priv.h"

#define CONTROL_REPLY_BYTES     ((size_t)4 * 1024) /* to begin with */
#define CONTROL_REPLY_MAX_BYTES ((size_t)32 << 20) /* names of a model with very many layers */
#define CONTROL_TEXTS_MAX       256

static const struct control_command {
    const char *name;
    int (*act)(struct control_request *request);
    void (*write)(struct control_request *request, struct celltap_writer *writer);
} control_commands[] = {
    {"status", control_status, control_status_write},
    {"streams", control_streams, control_streams_write},
    {"model", control_model, control_model_write},
    {"tap.open", control_tap_open, control_tap_open_write},
    {"tap.close", control_tap_close, control_ok_write},
    {"reset", control_reset, control_ok_write},
    {"rewarm", control_rewarm, control_rewarm_write},
    {"reload", control_reload, control_reload_write},
    {"snapshot", control_snapshot, control_ok_write},
    {"replay", control_replay, control_ok_write},
};

int control_fail(struct control_request *request, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(request->error, sizeof(request->error), format, arguments);
    va_end(arguments);
    return -1;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* 1: there, and not nil; 0: not; -1: the request cannot be read. */
static int control_find(struct control_request *request, const char *key,
                        struct celltap_token *ret_token, const unsigned char **ret_at)
{
    int code = celltap_map_find(request->map, request->end, key, ret_token, ret_at);
    if (code == CELLTAP_EKEY || (code == 0 && ret_token->kind == CELLTAP_TOKEN_NIL))
        return 0;
    if (code != 0)
        return control_fail(request, "the request cannot be read: %s", celltap_strerror(code));
    return 1;
}

/* A str without NUL, that fits. */
static bool control_copy_text(const struct celltap_token *token, char *ret_text, size_t text_bytes)
{
    if (token->kind != CELLTAP_TOKEN_STR || token->n_bytes >= text_bytes ||
        memchr(token->bytes, '\0', token->n_bytes) != NULL)
        return false;
    memcpy(ret_text, token->bytes, token->n_bytes);
    ret_text[token->n_bytes] = '\0';
    return true;
}

int control_get_text(struct control_request *request, const char *key, char *ret_text,
                     size_t text_bytes)
{
    struct celltap_token token;
    int found = control_find(request, key, &token, NULL);
    if (found == 1 && !control_copy_text(&token, ret_text, text_bytes))
        return control_fail(request, "`%s` is a text of at most %zu bytes", key, text_bytes - 1);
    return found;
}

int control_get_uint(struct control_request *request, const char *key, uint64_t *ret_value,
                     uint64_t min, uint64_t max)
{
    struct celltap_token token;
    int found = control_find(request, key, &token, NULL);
    if (found != 1)
        return found;
    if (token.kind != CELLTAP_TOKEN_UINT || token.uint < min || token.uint > max)
        return control_fail(request, "`%s` is a whole number from %llu to %llu", key,
                            (unsigned long long)min, (unsigned long long)max);
    *ret_value = token.uint;
    return 1;
}

int control_get_int(struct control_request *request, const char *key, int64_t *ret_value)
{
    struct celltap_token token;
    int found = control_find(request, key, &token, NULL);
    if (found != 1)
        return found;
    if (token.kind == CELLTAP_TOKEN_UINT && token.uint <= INT64_MAX)
        *ret_value = (int64_t)token.uint;
    else if (token.kind == CELLTAP_TOKEN_INT)
        *ret_value = token.sint;
    else
        return control_fail(request, "`%s` is a whole number below 2^63", key);
    return 1;
}

int control_get_bool(struct control_request *request, const char *key, bool *ret_value)
{
    struct celltap_token token;
    int found = control_find(request, key, &token, NULL);
    if (found != 1)
        return found;
    if (token.kind != CELLTAP_TOKEN_BOOL)
        return control_fail(request, "`%s` is true or false", key);
    *ret_value = token.boolean;
    return 1;
}

void control_texts_done(struct conf_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct conf_texts){0};
}

static int control_add_text(struct conf_texts *texts, const struct celltap_token *token)
{
    char text[CELLTAP_STREAM_NAME_MAX + 1];
    if (!control_copy_text(token, text, sizeof(text)))
        return -1;
    texts->items[texts->n] = strdup(text);
    return texts->items[texts->n] != NULL ? (int)texts->n++ : -1;
}

int control_get_texts(struct control_request *request, const char *key,
                      struct conf_texts *ret_texts)
{
    struct celltap_token token;
    struct conf_texts texts = {0};
    const unsigned char *at;
    int found = control_find(request, key, &token, &at);
    if (found != 1)
        return found;
    bool list = token.kind == CELLTAP_TOKEN_ARRAY;
    size_t n = list ? token.n_items : 1;
    if (n == 0 || n > CONTROL_TEXTS_MAX)
        goto fail;
    texts.items = calloc(n, sizeof(char *));
    if (texts.items == NULL)
        goto fail;
    if (list) /* at the array's header: its first item comes next */
        celltap_token_read(&at, request->end, &token);
    for (size_t i = 0; i < n; i++)
        if (celltap_token_read(&at, request->end, &token) != 0 ||
            control_add_text(&texts, &token) < 0)
            goto fail;
    *ret_texts = texts;
    return 1;
fail:
    control_texts_done(&texts);
    return control_fail(request, "`%s` is a list of 1 to %d texts of at most %d bytes", key,
                        CONTROL_TEXTS_MAX, CELLTAP_STREAM_NAME_MAX);
}

/* ---- writing ------------------------------------------------------------------------------ */

void control_put_text(struct celltap_writer *writer, const char *key, const char *text)
{
    celltap_put_str(writer, key);
    celltap_put_str(writer, text);
}

void control_put_uint(struct celltap_writer *writer, const char *key, uint64_t value)
{
    celltap_put_str(writer, key);
    celltap_put_uint(writer, value);
}

void control_ok_write(struct control_request *request, struct celltap_writer *writer)
{
    (void)request;
    celltap_put_map(writer, 1);
    celltap_put_str(writer, "ok");
    celltap_put_bool(writer, true);
}

static void control_error_write(struct control_request *request, struct celltap_writer *writer)
{
    celltap_put_map(writer, 1);
    control_put_text(writer, "error", request->owned != NULL ? request->owned : request->error);
}

static int control_write(struct control_request *request,
                         void (*write)(struct control_request *, struct celltap_writer *),
                         sock_message **ret_reply)
{
    for (size_t room = CONTROL_REPLY_BYTES; room <= CONTROL_REPLY_MAX_BYTES; room *= 2) {
        sock_message *reply = sock_message_new(room);
        if (reply == NULL)
            return -1;
        unsigned char *body = sock_message_body(reply);
        struct celltap_writer writer = {.at = body, .end = body + room};
        write(request, &writer);
        if (!writer.full) {
            sock_message_cut(reply, (size_t)(writer.at - body));
            *ret_reply = reply;
            return 0;
        }
        sock_message_free(reply);
    }
    return -1;
}

/* ---- the table ---------------------------------------------------------------------------- */

static void control_fail_unknown(struct control_request *request)
{
    char names[256] = "";
    for (size_t i = 0; i < sizeof(control_commands) / sizeof(control_commands[0]); i++) {
        strcat(names, i > 0 ? ", " : "");
        strcat(names, control_commands[i].name);
    }
    control_fail(request, "unknown cmd; there are %s", names);
}

static const struct control_command *control_find_command(struct control_request *request)
{
    char name[32];
    struct celltap_token token;
    const unsigned char *at = request->map;
    if (celltap_token_read(&at, request->end, &token) != 0 || token.kind != CELLTAP_TOKEN_MAP) {
        control_fail(request, "a request is a MessagePack map with the key `cmd`");
        return NULL;
    }
    int found = control_get_text(request, "cmd", name, sizeof(name));
    if (found == 0)
        control_fail(request, "`cmd` is missing");
    if (found != 1)
        return NULL;
    for (size_t i = 0; i < sizeof(control_commands) / sizeof(control_commands[0]); i++)
        if (strcmp(control_commands[i].name, name) == 0)
            return &control_commands[i];
    control_fail_unknown(request);
    return NULL;
}

int control_answer(struct loop *loop, const unsigned char *bytes, size_t n_bytes,
                   struct sock_reply *reply, sock_message **ret_reply)
{
    struct control_request request = {
        .loop = loop, .map = bytes, .end = bytes + n_bytes, .reply = reply};
    const struct control_command *command = control_find_command(&request);
    int done = command != NULL ? command->act(&request) : -1;
    if (done == CONTROL_TAKEN)
        return CONTROL_TAKEN;
    bool good = done == 0;
    int code = control_write(&request, good ? command->write : control_error_write, ret_reply);
    free(request.owned);
    return code;
}
