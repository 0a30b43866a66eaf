/* arena.h - many small things that are freed together.
 *
 *     arena --> block --> block --> NULL      each: | next | used | size | bytes ... |
 *
 * For what is built while a model is loaded (and for a model's names): nothing in an arena is freed
 * on its own.  One thread. */
#ifndef LIB_BASE_ARENA_H
#define LIB_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned */
};

void arena_init(struct arena *arena);
void arena_done(struct arena *arena); /* frees everything; the arena is empty again */

/* Zeroed memory for n_items, aligned for any type and for vectors of 64 bytes; NULL when out of
 * memory or when the product overflows. */
void *arena_take(struct arena *arena, size_t n_items, size_t item_bytes);

/* A copy of n_bytes of text with a NUL behind; NULL when out of memory. */
char *arena_text(struct arena *arena, const char *text, size_t n_bytes);

/* A formatted text; NULL when out of memory. */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
