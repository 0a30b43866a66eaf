/* conf_value.c - texts of the configuration as numbers and choices.  Nothing here allocates. */
#include "daemon/conf_value.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORD_BYTES 32 /* compared of a word: longer than every key */

const struct conf_unit conf_value_no_units[] = {{"", 1}, {NULL, 0}};
const struct conf_unit conf_value_bytes[] = {
    {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
const struct conf_unit conf_value_ms[] = {{"", 1},      {"ms", 1},      {"s", 1000},
                                          {"m", 60000}, {"h", 3600000}, {NULL, 0}};

bool conf_value_number(const char *text, const struct conf_unit *units, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at); at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
            return false;
    if (at == text)
        return false;
    for (const struct conf_unit *unit = units; unit->suffix != NULL; unit++)
        if (strcmp(at, unit->suffix) == 0)
            return !__builtin_mul_overflow(number, unit->factor, ret_number);
    return false;
}

bool conf_value_real(const char *text, double *ret_number)
{
    char *end;
    if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
        return false;
    double number = strtod(text, &end);
    if (*end != '\0' || !isfinite(number))
        return false;
    *ret_number = number;
    return true;
}

bool conf_value_bool(const char *text, bool *ret_value)
{
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (size_t value = 0; value < 2; value++)
            if (strcasecmp(text, words[i][value]) == 0) {
                *ret_value = value == 1;
                return true;
            }
    return false;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau's distance, three rows of the table at a time. */
size_t conf_value_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_BYTES + 1];
    size_t n_a = strnlen(a, WORD_BYTES), n_b = strnlen(b, WORD_BYTES);
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= n_b; j++)
        last[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        now[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            int p = tolower((unsigned char)a[i - 1]), q = tolower((unsigned char)b[j - 1]);
            now[j] = least(last[j - 1] + (p != q), least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && p == tolower((unsigned char)b[j - 2]) &&
                q == tolower((unsigned char)a[i - 2]))
                now[j] = least(now[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[n_b];
}

bool conf_value_near(const char *a, const char *b)
{
    size_t longer = strnlen(a, WORD_BYTES), n_b = strnlen(b, WORD_BYTES);
    if (longer < n_b)
        longer = n_b;
    return 2 * conf_value_distance(a, b) <= longer;
}
