/* wire_frame.c - one frame of a message: checked whole, then shown as a view.
 *
 *     message  | map | map | ...        map  "stream" "values" "ts" "seq" "reset", others ignored
 *                ^cursor       ------------>       ^cursor
 *
 * One pass reads a good frame; one at fault is walked once more, so the cursor stands behind it
 * whatever its content, and the next one can be read.  Nothing is copied until
 * celltap_frame_values. */
#include <math.h>

#include "lib/base/le.h"
#include "lib/wire/wire_float.h"
#include "lib/wire/wire_token.h"

bool celltap_stream_name_ok(const char *name, size_t n_bytes)
{
    if (n_bytes < 1 || n_bytes > CELLTAP_STREAM_NAME_MAX)
        return false;
    for (size_t i = 0; i < n_bytes; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        /* '-' to ':' is - . / 0..9 : */
        if (!letter && !(c >= '-' && c <= ':') && c != '_')
            return false;
    }
    return true;
}

static int frame_take_stream(void *target, const struct celltap_token *value,
                             const unsigned char *at, const unsigned char *end)
{
    (void)at, (void)end;
    struct celltap_frame *frame = target;
    if (value->kind != CELLTAP_TOKEN_STR)
        return CELLTAP_ETYPE;
    if (!celltap_stream_name_ok((const char *)value->bytes, value->n_bytes))
        return CELLTAP_ESTREAM;
    frame->stream = (const char *)value->bytes;
    frame->stream_bytes = value->n_bytes;
    return 0;
}

static int frame_take_values(void *target, const struct celltap_token *value,
                             const unsigned char *at, const unsigned char *end)
{
    struct celltap_frame *frame = target;
    if (value->kind == CELLTAP_TOKEN_BIN) {
        if (value->n_bytes % sizeof(float) != 0)
            return CELLTAP_ETYPE;
        frame->values_are_bin = true;
        frame->values = value->bytes;
        frame->values_bytes = value->n_bytes;
        frame->n_values = value->n_bytes / sizeof(float);
        return 0;
    }
    if (value->kind != CELLTAP_TOKEN_ARRAY)
        return CELLTAP_ETYPE;
    struct celltap_token token;
    celltap_token_read(&at, end, &token); /* behind the array's head: cannot fail, it was walked */
    frame->values_are_bin = false;
    frame->values = at;
    frame->n_values = value->n_items;
    for (size_t i = 0; i < value->n_items; i++) {
        float number;
        int err = celltap_token_read(&at, end, &token);
        if (err < 0)
            return err;
        if (!wire_token_float(&token, &number))
            return CELLTAP_ETYPE;
    }
    frame->values_bytes = (size_t)(at - frame->values);
    return 0;
}

static int frame_take_ts(void *target, const struct celltap_token *value, const unsigned char *at,
                         const unsigned char *end)
{
    (void)at, (void)end;
    struct celltap_frame *frame = target;
    int err = wire_token_int64(value, &frame->ts_ns);
    frame->has_ts = err == 0;
    return err;
}

static int frame_take_seq(void *target, const struct celltap_token *value, const unsigned char *at,
                          const unsigned char *end)
{
    (void)at, (void)end;
    struct celltap_frame *frame = target;
    int err = wire_token_seq(value, &frame->seq);
    frame->has_seq = err == 0;
    return err;
}

static int frame_take_reset(void *target, const struct celltap_token *value,
                            const unsigned char *at, const unsigned char *end)
{
    (void)at, (void)end;
    struct celltap_frame *frame = target;
    if (value->kind != CELLTAP_TOKEN_BOOL)
        return CELLTAP_ETYPE;
    frame->reset = value->boolean;
    return 0;
}

static const struct wire_key frame_keys[] = {
    WIRE_KEY("stream", true, frame_take_stream), WIRE_KEY("values", true, frame_take_values),
    WIRE_KEY("ts", false, frame_take_ts),        WIRE_KEY("seq", false, frame_take_seq),
    WIRE_KEY("reset", false, frame_take_reset),
};

int celltap_frame_read(const unsigned char **cursor, const unsigned char *end,
                       struct celltap_frame *ret_frame, const char **reterr_key)
{
    const char *key;
    struct celltap_frame frame = {.stream = NULL};
    int err = wire_token_next_map(cursor, end, frame_keys, sizeof frame_keys / sizeof *frame_keys,
                                  &frame, &key);
    if (err == 0)
        *ret_frame = frame;
    if (reterr_key != NULL)
        *reterr_key = key;
    return err;
}

static float frame_value(float value)
{
    return isfinite(value) ? value : NAN;
}

void celltap_frame_values(const struct celltap_frame *frame, float *ret_values)
{
    const unsigned char *at = frame->values;
    if (frame->values_are_bin) {
        for (size_t i = 0; i < frame->n_values; i++)
            ret_values[i] = frame_value(wire_float_of(le_get32(at + i * sizeof(float))));
        return;
    }
    const unsigned char *end = at + frame->values_bytes;
    for (size_t i = 0; i < frame->n_values; i++) {
        struct celltap_token token;
        float value = NAN;
        if (celltap_token_read(&at, end, &token) == 0)
            wire_token_float(&token, &value);
        ret_values[i] = frame_value(value);
    }
}
