/* json.c - JSON out: text and numbers that every reader takes. */
#include "cli/json.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cli/digits.h"
#include "lib/celltap_wire.h"

/* Bytes of the UTF-8 character at text, 0 if there is none (RFC 3629: no surrogates, none too long
 * or beyond U+10FFFF). */
static size_t json_character(const unsigned char *text, size_t n_bytes)
{
    static const struct {
        unsigned char first, last, second_from, second_to, n_bytes;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*text < forms[i].first || *text > forms[i].last)
            continue;
        if (forms[i].n_bytes > n_bytes)
            return 0;
        if (forms[i].n_bytes > 1 &&
            (text[1] < forms[i].second_from || text[1] > forms[i].second_to))
            return 0;
        for (size_t j = 2; j < forms[i].n_bytes; j++)
            if ((text[j] & 0xc0) != 0x80)
                return 0;
        return forms[i].n_bytes;
    }
    return 0;
}

void json_text(FILE *file, const char *text, size_t n_bytes)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + n_bytes;
    putc('"', file);
    while (at < end) {
        size_t n = json_character(at, (size_t)(end - at));
        if (n == 0)
            fputs("\\ufffd", file);
        else if (*at == '"' || *at == '\\')
            fprintf(file, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f)
            fprintf(file, "\\u%04x", *at);
        else
            fwrite(at, 1, n, file);
        at += n ? n : 1;
    }
    putc('"', file);
}

void json_number(FILE *file, double number)
{
    char text[DIGITS_DOUBLE_MAX];
    if (isfinite(number))
        fwrite(text, 1, digits_double(number, text), file);
    else
        fputs("null", file);
}

void json_float(FILE *file, float number)
{
    char text[DIGITS_MAX];
    if (isfinite(number))
        fwrite(text, 1, digits_float(number, text), file);
    else
        fputs("null", file);
}

void json_floats(FILE *file, const float *numbers, size_t n)
{
    putc('[', file);
    for (size_t i = 0; i < n; i++) {
        if (i)
            putc(',', file);
        json_float(file, numbers[i]);
    }
    putc(']', file);
}

/* ---- MessagePack --------------------------------------------------------------------------- */

static void json_scalar(FILE *file, const struct celltap_token *token)
{
    switch (token->kind) {
    case CELLTAP_TOKEN_BOOL:
        fputs(token->boolean ? "true" : "false", file);
        break;
    case CELLTAP_TOKEN_UINT:
        fprintf(file, "%llu", (unsigned long long)token->uint);
        break;
    case CELLTAP_TOKEN_INT:
        fprintf(file, "%lld", (long long)token->sint);
        break;
    case CELLTAP_TOKEN_FLOAT:
        json_number(file, token->number);
        break;
    case CELLTAP_TOKEN_STR:
    case CELLTAP_TOKEN_BIN:
    case CELLTAP_TOKEN_EXT:
        json_text(file, (const char *)token->bytes, token->n_bytes);
        break;
    default:
        fputs("null", file);
    }
}

static int json_value(FILE *file, const unsigned char **cursor, const unsigned char *end,
                      size_t depth)
{
    struct celltap_token token;
    if (depth > CELLTAP_WIRE_DEPTH_MAX || celltap_token_read(cursor, end, &token) < 0)
        return -1;
    if (token.kind != CELLTAP_TOKEN_ARRAY && token.kind != CELLTAP_TOKEN_MAP) {
        json_scalar(file, &token);
        return 0;
    }
    bool is_map = token.kind == CELLTAP_TOKEN_MAP;
    putc(is_map ? '{' : '[', file);
    for (size_t i = 0; i < token.n_items; i++) {
        struct celltap_token key;
        if (i)
            fputs(", ", file);
        if (is_map) {
            if (celltap_token_read(cursor, end, &key) < 0 || key.kind != CELLTAP_TOKEN_STR)
                return -1;
            json_scalar(file, &key);
            fputs(": ", file);
        }
        if (json_value(file, cursor, end, depth + 1) < 0)
            return -1;
    }
    putc(is_map ? '}' : ']', file);
    return 0;
}

int json_msgpack(FILE *file, const unsigned char **cursor, const unsigned char *end)
{
    return json_value(file, cursor, end, 0);
}
