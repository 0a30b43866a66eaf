/* wire_token.c - MessagePack, one token at a time, in place.
 *
 *     first byte   00..7f  80..8f  90..9f  a0..bf  c0..df           e0..ff
 *     value        0..127  map     array   str     a row of a table -32..-1
 *
 * A walk over a nested value keeps one counter a level, CELLTAP_WIRE_DEPTH_MAX of them.  No byte at
 * or behind `end` is read, whatever the message claims; an array or map that claims more items than
 * bytes are left is refused before anything is done with it. */
#include "lib/wire/wire_token.h"

#include <math.h>
#include <string.h>

#define TOKEN_FLOAT_BEYOND 0x1.ffffffp127 /* half a step above the largest float: rounds to Inf */

/* How a first byte of c0..df goes on: n_number bytes of a big-endian number, the value itself or
 * how long or how many; for an ext its type byte; then the bytes of a str, bin or ext. */
struct token_format {
    uint8_t kind;
    uint8_t n_number;
    uint8_t n_type;  /* 1: an ext's type follows the number */
    uint8_t n_fixed; /* payload of a fixext, which has no number */
    bool known;
};

static const struct token_format token_formats[32] = {
    [0x00] = {CELLTAP_TOKEN_NIL, 0, 0, 0, true},   [0x02] = {CELLTAP_TOKEN_BOOL, 0, 0, 0, true},
    [0x03] = {CELLTAP_TOKEN_BOOL, 0, 0, 0, true},  [0x04] = {CELLTAP_TOKEN_BIN, 1, 0, 0, true},
    [0x05] = {CELLTAP_TOKEN_BIN, 2, 0, 0, true},   [0x06] = {CELLTAP_TOKEN_BIN, 4, 0, 0, true},
    [0x07] = {CELLTAP_TOKEN_EXT, 1, 1, 0, true},   [0x08] = {CELLTAP_TOKEN_EXT, 2, 1, 0, true},
    [0x09] = {CELLTAP_TOKEN_EXT, 4, 1, 0, true},   [0x0a] = {CELLTAP_TOKEN_FLOAT, 4, 0, 0, true},
    [0x0b] = {CELLTAP_TOKEN_FLOAT, 8, 0, 0, true}, [0x0c] = {CELLTAP_TOKEN_UINT, 1, 0, 0, true},
    [0x0d] = {CELLTAP_TOKEN_UINT, 2, 0, 0, true},  [0x0e] = {CELLTAP_TOKEN_UINT, 4, 0, 0, true},
    [0x0f] = {CELLTAP_TOKEN_UINT, 8, 0, 0, true},  [0x10] = {CELLTAP_TOKEN_INT, 1, 0, 0, true},
    [0x11] = {CELLTAP_TOKEN_INT, 2, 0, 0, true},   [0x12] = {CELLTAP_TOKEN_INT, 4, 0, 0, true},
    [0x13] = {CELLTAP_TOKEN_INT, 8, 0, 0, true},   [0x14] = {CELLTAP_TOKEN_EXT, 0, 1, 1, true},
    [0x15] = {CELLTAP_TOKEN_EXT, 0, 1, 2, true},   [0x16] = {CELLTAP_TOKEN_EXT, 0, 1, 4, true},
    [0x17] = {CELLTAP_TOKEN_EXT, 0, 1, 8, true},   [0x18] = {CELLTAP_TOKEN_EXT, 0, 1, 16, true},
    [0x19] = {CELLTAP_TOKEN_STR, 1, 0, 0, true},   [0x1a] = {CELLTAP_TOKEN_STR, 2, 0, 0, true},
    [0x1b] = {CELLTAP_TOKEN_STR, 4, 0, 0, true},   [0x1c] = {CELLTAP_TOKEN_ARRAY, 2, 0, 0, true},
    [0x1d] = {CELLTAP_TOKEN_ARRAY, 4, 0, 0, true}, [0x1e] = {CELLTAP_TOKEN_MAP, 2, 0, 0, true},
    [0x1f] = {CELLTAP_TOKEN_MAP, 4, 0, 0, true},
};

static size_t token_left(const unsigned char *at, const unsigned char *end)
{
    return (size_t)(end - at);
}

static inline uint32_t token_big_endian32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* 0, 1, 2, 4 or 8 bytes: one load each, not a loop. */
static inline uint64_t token_big_endian(const unsigned char *bytes, size_t n_bytes)
{
    switch (n_bytes) {
    case 0:
        return 0;
    case 1:
        return bytes[0];
    case 2:
        return (uint64_t)bytes[0] << 8 | bytes[1];
    case 4:
        return token_big_endian32(bytes);
    default:
        return (uint64_t)token_big_endian32(bytes) << 32 | token_big_endian32(bytes + 4);
    }
}

static double token_float(uint64_t bits, size_t n_bytes)
{
    double number;
    if (n_bytes == sizeof number) {
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    uint32_t bits32 = (uint32_t)bits;
    float single;
    memcpy(&single, &bits32, sizeof single);
    return (double)single;
}

static void token_set_integer(struct celltap_token *token, int64_t value)
{
    token->kind = value < 0 ? CELLTAP_TOKEN_INT : CELLTAP_TOKEN_UINT;
    if (value < 0)
        token->sint = value;
    else
        token->uint = (uint64_t)value;
}

/* A token whose head is read: takes what belongs to it and still lies before `end`. */
static inline int token_take_payload(const unsigned char **at, const unsigned char *end, uint64_t n,
                                     struct celltap_token *token)
{
    size_t left = token_left(*at, end);
    if (token->kind == CELLTAP_TOKEN_ARRAY || token->kind == CELLTAP_TOKEN_MAP) {
        size_t items_each = token->kind == CELLTAP_TOKEN_MAP ? 2 : 1;
        if (n > left / items_each)
            return CELLTAP_ETRUNCATED;
        token->n_items = (size_t)n;
        return 0;
    }
    if (n > left)
        return CELLTAP_ETRUNCATED;
    token->bytes = *at;
    token->n_bytes = (size_t)n;
    *at += n;
    return 0;
}

/* First bytes c0..df. */
static inline int token_read_formatted(const unsigned char **at, const unsigned char *end,
                                       unsigned char first, struct celltap_token *token)
{
    const struct token_format *format = &token_formats[first & 0x1f];
    if (!format->known)
        return CELLTAP_EMSGPACK;
    if (token_left(*at, end) < (size_t)format->n_number + format->n_type)
        return CELLTAP_ETRUNCATED;
    uint64_t number = token_big_endian(*at, format->n_number);
    *at += format->n_number + format->n_type;
    token->kind = (enum celltap_token_kind)format->kind;
    switch (token->kind) {
    case CELLTAP_TOKEN_NIL:
        return 0;
    case CELLTAP_TOKEN_BOOL:
        token->boolean = first == 0xc3;
        return 0;
    case CELLTAP_TOKEN_UINT:
        token->uint = number;
        return 0;
    case CELLTAP_TOKEN_INT: {
        unsigned unused_bits = 64 - 8u * format->n_number; /* shifted out and the sign back in */
        token_set_integer(token, (int64_t)(number << unused_bits) >> unused_bits);
        return 0;
    }
    case CELLTAP_TOKEN_FLOAT:
        token->number = token_float(number, format->n_number);
        return 0;
    default:
        return token_take_payload(at, end, format->n_number > 0 ? number : format->n_fixed, token);
    }
}

static inline int token_read(const unsigned char **cursor, const unsigned char *end,
                             struct celltap_token *ret_token)
{
    const unsigned char *at = *cursor;
    if (at >= end)
        return CELLTAP_ETRUNCATED;
    struct celltap_token token = {.kind = CELLTAP_TOKEN_NIL};
    unsigned char first = *at++;
    int err = 0;
    if (first < 0x80) {
        token.kind = CELLTAP_TOKEN_UINT;
        token.uint = first;
    } else if (first >= 0xe0) {
        token.kind = CELLTAP_TOKEN_INT;
        token.sint = (int64_t)first - 0x100;
    } else if (first >= 0xc0) {
        err = token_read_formatted(&at, end, first, &token);
    } else if (first >= 0xa0) {
        token.kind = CELLTAP_TOKEN_STR;
        err = token_take_payload(&at, end, first & 0x1f, &token);
    } else {
        token.kind = first < 0x90 ? CELLTAP_TOKEN_MAP : CELLTAP_TOKEN_ARRAY;
        err = token_take_payload(&at, end, first & 0x0f, &token);
    }
    if (err < 0)
        return err;
    *ret_token = token;
    *cursor = at;
    return 0;
}

int celltap_token_read(const unsigned char **cursor, const unsigned char *end,
                       struct celltap_token *ret_token)
{
    return token_read(cursor, end, ret_token);
}

/* A value inside of n_open maps and arrays. */
static int token_walk(const unsigned char **cursor, const unsigned char *end, size_t n_open)
{
    size_t n_left[CELLTAP_WIRE_DEPTH_MAX + 1]; /* values to come on each level that is open */
    size_t depth = n_open;
    bool too_deep = false;
    const unsigned char *at = *cursor;
    n_left[depth] = 1;
    for (;;) {
        while (n_left[depth] == 0) {
            if (depth == n_open) {
                *cursor = at;
                return too_deep ? CELLTAP_EDEPTH : 0;
            }
            depth--;
        }
        n_left[depth]--;
        struct celltap_token token;
        int err = token_read(&at, end, &token);
        if (err < 0)
            return err;
        if (token.kind != CELLTAP_TOKEN_ARRAY && token.kind != CELLTAP_TOKEN_MAP)
            continue;
        if (depth < CELLTAP_WIRE_DEPTH_MAX)
            n_left[++depth] = 0;
        else
            too_deep = true; /* from here values are only counted, to find where it all ends */
        n_left[depth] += token.kind == CELLTAP_TOKEN_MAP ? 2 * token.n_items : token.n_items;
        if (n_left[depth] > token_left(at, end)) /* also: no sum can overflow */
            return CELLTAP_ETRUNCATED;
    }
}

int wire_token_walk(const unsigned char **cursor, const unsigned char *end)
{
    return token_walk(cursor, end, 0);
}

int celltap_token_skip(const unsigned char **cursor, const unsigned char *end)
{
    const unsigned char *at = *cursor;
    int err = wire_token_walk(&at, end);
    if (err == 0)
        *cursor = at;
    return err;
}

bool celltap_token_is(const struct celltap_token *token, const char *text)
{
    return token->kind == CELLTAP_TOKEN_STR && token->n_bytes == strlen(text) &&
           memcmp(token->bytes, text, token->n_bytes) == 0;
}

bool wire_token_float(const struct celltap_token *token, float *ret_value)
{
    switch (token->kind) {
    case CELLTAP_TOKEN_NIL:
        *ret_value = NAN;
        return true;
    case CELLTAP_TOKEN_UINT:
        *ret_value = (float)token->uint;
        return true;
    case CELLTAP_TOKEN_INT:
        *ret_value = (float)token->sint;
        return true;
    case CELLTAP_TOKEN_FLOAT:
        if (fabs(token->number) >= TOKEN_FLOAT_BEYOND)
            *ret_value = token->number > 0 ? INFINITY : -INFINITY;
        else
            *ret_value = (float)token->number;
        return true;
    default:
        return false;
    }
}

int wire_token_int64(const struct celltap_token *token, int64_t *ret_value)
{
    if (token->kind == CELLTAP_TOKEN_INT)
        *ret_value = token->sint;
    else if (token->kind != CELLTAP_TOKEN_UINT)
        return CELLTAP_ETYPE;
    else if (token->uint > INT64_MAX)
        return CELLTAP_ERANGE;
    else
        *ret_value = (int64_t)token->uint;
    return 0;
}

int wire_token_seq(const struct celltap_token *token, uint64_t *ret_seq)
{
    if (token->kind != CELLTAP_TOKEN_INT && token->kind != CELLTAP_TOKEN_UINT)
        return CELLTAP_ETYPE;
    if (token->kind == CELLTAP_TOKEN_INT || token->uint == 0)
        return CELLTAP_ERANGE;
    *ret_seq = token->uint;
    return 0;
}

static const struct wire_key *token_key_row(const struct celltap_token *name,
                                            const struct wire_key *keys, size_t n_keys)
{
    for (size_t i = 0; name->kind == CELLTAP_TOKEN_STR && i < n_keys; i++)
        if (name->n_bytes == keys[i].name_bytes &&
            memcmp(name->bytes, keys[i].name, name->n_bytes) == 0)
            return &keys[i];
    return NULL;
}

/* A key or a value of a map: its token, and *at behind all of it. */
static int token_read_whole(const unsigned char **at, const unsigned char *end,
                            struct celltap_token *ret_token)
{
    const unsigned char *head = *at;
    int err = token_read(at, end, ret_token);
    if (err < 0 || (ret_token->kind != CELLTAP_TOKEN_ARRAY && ret_token->kind != CELLTAP_TOKEN_MAP))
        return err;
    *at = head;
    return token_walk(at, end, 1);
}

/* One pair of key and value at *at; a value with a row goes to it. */
static int token_take_pair(const unsigned char **at, const unsigned char *end,
                           const struct wire_key *keys, size_t n_keys, void *target,
                           const struct wire_key **ret_row)
{
    struct celltap_token name, value;
    int err = token_read_whole(at, end, &name);
    const unsigned char *value_at = *at;
    if (err == 0)
        err = token_read_whole(at, end, &value);
    if (err < 0)
        return err;
    *ret_row = token_key_row(&name, keys, n_keys);
    return *ret_row == NULL ? 0 : (*ret_row)->take(target, &value, value_at, end);
}

int wire_token_map(const unsigned char **cursor, const unsigned char *end,
                   const struct wire_key *keys, size_t n_keys, void *target, const char **ret_key)
{
    const unsigned char *at = *cursor;
    struct celltap_token token;
    uint32_t seen = 0; /* one bit a row */
    *ret_key = "";
    int err = token_read(&at, end, &token);
    if (err < 0)
        return err;
    if (token.kind != CELLTAP_TOKEN_MAP)
        return CELLTAP_ETYPE;
    for (size_t i = 0; i < token.n_items; i++) {
        const struct wire_key *row = NULL;
        err = token_take_pair(&at, end, keys, n_keys, target, &row);
        if (err < 0) {
            *ret_key = row == NULL ? "" : row->name;
            return err;
        }
        if (row != NULL)
            seen |= UINT32_C(1) << (row - keys);
    }
    for (size_t i = 0; i < n_keys; i++) {
        if (keys[i].required && (seen >> i & 1) == 0) {
            *ret_key = keys[i].name;
            return CELLTAP_EKEY;
        }
    }
    *cursor = at;
    return 0;
}

int wire_token_next_map(const unsigned char **cursor, const unsigned char *end,
                        const struct wire_key *keys, size_t n_keys, void *target,
                        const char **ret_key)
{
    int err = wire_token_map(cursor, end, keys, n_keys, target, ret_key);
    if (err == 0)
        return 0;
    int walked = wire_token_walk(cursor, end);
    if (walked == 0)
        return err;
    if (walked != CELLTAP_EDEPTH)
        *cursor = end;
    *ret_key = "";
    return walked;
}

struct token_found {
    struct celltap_token token;
    const unsigned char *at;
};

static int token_take_found(void *target, const struct celltap_token *value,
                            const unsigned char *at, const unsigned char *end)
{
    (void)end;
    *(struct token_found *)target = (struct token_found){*value, at};
    return 0;
}

int celltap_map_find(const unsigned char *map, const unsigned char *end, const char *key,
                     struct celltap_token *ret_token, const unsigned char **ret_at)
{
    const struct wire_key row = {key, strlen(key), true, token_take_found};
    struct token_found found;
    const char *fault;
    int err = wire_token_map(&map, end, &row, 1, &found, &fault);
    if (err < 0)
        return err;
    *ret_token = found.token;
    if (ret_at != NULL)
        *ret_at = found.at;
    return 0;
}
