/* wire_record.c - activation records read back, as a subscriber does.
 *
 *     record   {"stream" "seq" "ts" "layer" "dtype" "tensors": {"h": values, "c": values, ...}}
 *     values   bin of "<f4" or "<f2", or without "dtype" an array of numbers
 *
 * celltap_record_read checks the whole record, tensors too; they are then taken one by one. */
#include "lib/base/le.h"
#include "lib/wire/wire_float.h"
#include "lib/wire/wire_token.h"

/* Bytes of one value of a bin; 0: an array. */
static const uint8_t record_value_bytes[] = {
    [CELLTAP_ENCODING_F4] = 4,
    [CELLTAP_ENCODING_F2] = 2,
    [CELLTAP_ENCODING_ARRAY] = 0,
};

static int record_take_stream(void *target, const struct celltap_token *value,
                              const unsigned char *at, const unsigned char *end)
{
    (void)at, (void)end;
    struct celltap_record_view *record = target;
    if (value->kind != CELLTAP_TOKEN_STR)
        return CELLTAP_ETYPE;
    if (!celltap_stream_name_ok((const char *)value->bytes, value->n_bytes))
        return CELLTAP_ESTREAM;
    record->stream = (const char *)value->bytes;
    record->stream_bytes = value->n_bytes;
    return 0;
}

static int record_take_seq(void *target, const struct celltap_token *value, const unsigned char *at,
                           const unsigned char *end)
{
    (void)at, (void)end;
    return wire_token_seq(value, &((struct celltap_record_view *)target)->seq);
}

static int record_take_ts(void *target, const struct celltap_token *value, const unsigned char *at,
                          const unsigned char *end)
{
    (void)at, (void)end;
    return wire_token_int64(value, &((struct celltap_record_view *)target)->ts_ns);
}

static int record_take_layer(void *target, const struct celltap_token *value,
                             const unsigned char *at, const unsigned char *end)
{
    (void)at, (void)end;
    struct celltap_record_view *record = target;
    if (value->kind != CELLTAP_TOKEN_STR)
        return CELLTAP_ETYPE;
    record->layer = (const char *)value->bytes;
    record->layer_bytes = value->n_bytes;
    return 0;
}

static int record_take_dtype(void *target, const struct celltap_token *value,
                             const unsigned char *at, const unsigned char *end)
{
    (void)at, (void)end;
    struct celltap_record_view *record = target;
    if (celltap_token_is(value, "<f4"))
        record->encoding = CELLTAP_ENCODING_F4;
    else if (celltap_token_is(value, "<f2"))
        record->encoding = CELLTAP_ENCODING_F2;
    else
        return CELLTAP_ETYPE;
    return 0;
}

static int record_take_tensors(void *target, const struct celltap_token *value,
                               const unsigned char *at, const unsigned char *end)
{
    struct celltap_record_view *record = target;
    struct celltap_token head;
    if (value->kind != CELLTAP_TOKEN_MAP)
        return CELLTAP_ETYPE;
    int err = celltap_token_read(&at, end, &head);
    record->n_tensors = head.n_items;
    record->tensors = at;
    return err;
}

static const struct wire_key record_keys[] = {
    WIRE_KEY("stream", true, record_take_stream), WIRE_KEY("seq", true, record_take_seq),
    WIRE_KEY("ts", true, record_take_ts),         WIRE_KEY("layer", true, record_take_layer),
    WIRE_KEY("dtype", false, record_take_dtype),  WIRE_KEY("tensors", true, record_take_tensors),
};

/* The values of one tensor: at most max_values of them are kept. */
static int record_read_values(enum celltap_encoding encoding, const unsigned char **cursor,
                              const unsigned char *end, float *ret_values, size_t max_values,
                              size_t *ret_n_values)
{
    struct celltap_token token;
    size_t value_bytes = record_value_bytes[encoding];
    int err = celltap_token_read(cursor, end, &token);
    if (err < 0)
        return err;
    if (value_bytes == 0) {
        if (token.kind != CELLTAP_TOKEN_ARRAY)
            return CELLTAP_ETYPE;
        *ret_n_values = token.n_items;
        for (size_t i = 0; i < *ret_n_values; i++) {
            float value;
            err = celltap_token_read(cursor, end, &token);
            if (err < 0)
                return err;
            if (!wire_token_float(&token, &value))
                return CELLTAP_ETYPE;
            if (i < max_values)
                ret_values[i] = value;
        }
        return 0;
    }
    if (token.kind != CELLTAP_TOKEN_BIN || token.n_bytes % value_bytes != 0)
        return CELLTAP_ETYPE;
    *ret_n_values = token.n_bytes / value_bytes;
    for (size_t i = 0; i < *ret_n_values && i < max_values; i++)
        ret_values[i] = encoding == CELLTAP_ENCODING_F4
                            ? wire_float_of(le_get32(token.bytes + 4 * i))
                            : wire_float_of_half(wire_load16(token.bytes + 2 * i));
    return 0;
}

int celltap_record_tensor_read(const struct celltap_record_view *record,
                               const unsigned char **cursor, const unsigned char *end,
                               const char **ret_name, size_t *ret_name_bytes, float *ret_values,
                               size_t max_values, size_t *ret_n_values)
{
    const unsigned char *at = *cursor;
    struct celltap_token name;
    size_t n_values = 0;
    int err = celltap_token_read(&at, end, &name);
    if (err == 0 && name.kind != CELLTAP_TOKEN_STR)
        err = CELLTAP_ETYPE;
    if (err == 0)
        err = record_read_values(record->encoding, &at, end, ret_values, max_values, &n_values);
    if (err < 0)
        return err;
    *ret_name = (const char *)name.bytes;
    *ret_name_bytes = name.n_bytes;
    *ret_n_values = n_values;
    *cursor = at;
    return 0;
}

int celltap_record_read(const unsigned char **cursor, const unsigned char *end,
                        struct celltap_record_view *ret_record)
{
    const char *key, *name;
    size_t name_bytes, n_values;
    struct celltap_record_view record = {.encoding = CELLTAP_ENCODING_ARRAY};
    int err = wire_token_next_map(cursor, end, record_keys,
                                  sizeof record_keys / sizeof *record_keys, &record, &key);
    const unsigned char *at = record.tensors;
    for (size_t i = 0; err == 0 && i < record.n_tensors; i++)
        err = celltap_record_tensor_read(&record, &at, *cursor, &name, &name_bytes, NULL, 0,
                                         &n_values);
    if (err == 0)
        *ret_record = record;
    return err;
}
