/* conf_value.h - texts of the configuration as numbers and choices.  Nothing here allocates.
 */
#ifndef DAEMON_CONF_VALUE_H
#define DAEMON_CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A unit behind a number, and what it multiplies by; lists end with a NULL suffix. */
struct conf_unit {
    const char *suffix;
    uint64_t factor;
};

extern const struct conf_unit conf_value_no_units[]; /* a plain number */
extern const struct conf_unit conf_value_bytes[];    /* K M G, or none: bytes */
extern const struct conf_unit conf_value_ms[];       /* ms s m h, or none: milliseconds */

/* A whole number with a unit.  False: not one, or beyond 64 bits. */
bool conf_value_number(const char *text, const struct conf_unit *units, uint64_t *ret_number);

/* A decimal number: digits, a dot, an exponent; finite. */
bool conf_value_real(const char *text, double *ret_number);

/* true yes on, false no off, in any case. */
bool conf_value_bool(const char *text, bool *ret_value);

/* How many letters must be changed, added, left out or swapped with their neighbour to make one
 * text the other; both are compared up to 32 bytes, in lower case. */
size_t conf_value_distance(const char *a, const char *b);

/* True if b is what somebody who wrote a probably meant. */
bool conf_value_near(const char *a, const char *b);

#endif
