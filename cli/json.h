/* json.h - JSON out: text and numbers that every reader takes.
 *
 *     bytes -> "..." with escapes, what is not UTF-8 as U+FFFD      NaN, infinite -> null
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void json_text(FILE *file, const char *text, size_t n_bytes);
void json_number(FILE *file, double number);
void json_float(FILE *file, float number);                    /* the shortest of 9 digits */
void json_floats(FILE *file, const float *numbers, size_t n); /* [a,b,...] */

/* The MessagePack value at *cursor, keys as texts; moves behind it.  -1: it cannot be walked. */
int json_msgpack(FILE *file, const unsigned char **cursor, const unsigned char *end);

#endif
