/* wire_token.h - what frames and records share: whole values walked, numbers taken.
 *
 * Everything here stays inside [*cursor, end), allocates nothing and does not recurse. */
#ifndef LIB_WIRE_WIRE_TOKEN_H
#define LIB_WIRE_WIRE_TOKEN_H

#include <stdbool.h>

#include "lib/celltap_wire.h"

/* Moves *cursor behind the next whole value.  On CELLTAP_EDEPTH too *cursor is behind it, so that
 * what follows can still be read; on CELLTAP_ETRUNCATED and _EMSGPACK it stays. */
int wire_token_walk(const unsigned char **cursor, const unsigned char *end);

/* True for a number or nil; *ret_value is the float nearest to it: infinite beyond the floats, NaN
 * for nil. */
bool wire_token_float(const struct celltap_token *token, float *ret_value);

/* CELLTAP_ETYPE if it is no integer, CELLTAP_ERANGE if it does not fit (a seq starts at 1). */
int wire_token_int64(const struct celltap_token *token, int64_t *ret_value);
int wire_token_seq(const struct celltap_token *token, uint64_t *ret_seq);

/* What is done with the value of one key of a map.  at: where the value starts. */
struct wire_key {
    const char *name;
    size_t name_bytes;
    bool required;
    int (*take)(void *target, const struct celltap_token *value, const unsigned char *at,
                const unsigned char *end);
};

#define WIRE_KEY(name, required, take)                                                             \
    {                                                                                              \
        name, sizeof(name) - 1, required, take                                                     \
    }

/* Gives each value of the map at *cursor to its key's row, in the message's order (so the last of a
 * key given twice stays), and moves *cursor behind it; keys without a row are skipped.  A fault (a
 * take's own, CELLTAP_EKEY) puts its key's name in *ret_key; CELLTAP_ETYPE with "" if it is no map;
 * otherwise as celltap_token_skip.  *cursor stays then. */
int wire_token_map(const unsigned char **cursor, const unsigned char *end,
                   const struct wire_key *keys, size_t n_keys, void *target, const char **ret_key);

/* The same for one map of several back to back: after a fault too *cursor is behind it, or `end`
 * when the bytes cannot be walked at all. */
int wire_token_next_map(const unsigned char **cursor, const unsigned char *end,
                        const struct wire_key *keys, size_t n_keys, void *target,
                        const char **ret_key);

#endif
