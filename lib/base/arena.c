/* arena.c - bump allocation in a chain of blocks. */
#include "lib/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"

#define ARENA_BLOCK_BYTES 16384 /* a small model's names and graph fit in a few */

struct arena_block {
    struct arena_block *next; /* owned */
    size_t used, size;        /* bytes of `bytes` */
    _Alignas(ALLOC_ALIGN) unsigned char bytes[];
};

void arena_init(struct arena *arena)
{
    arena->blocks = NULL;
}

void arena_done(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        alloc_free(block);
    }
}

void *arena_take(struct arena *arena, size_t n_items, size_t item_bytes)
{
    size_t n_bytes, whole;
    if (__builtin_mul_overflow(n_items, item_bytes, &n_bytes) ||
        __builtin_add_overflow(n_bytes, (size_t)ALLOC_ALIGN - 1, &n_bytes))
        return NULL;
    n_bytes &= ~(size_t)(ALLOC_ALIGN - 1);
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < n_bytes) {
        size_t size = n_bytes > ARENA_BLOCK_BYTES ? n_bytes : ARENA_BLOCK_BYTES;
        if (__builtin_add_overflow(size, sizeof *block, &whole))
            return NULL;
        block = alloc_new(1, whole);
        if (block == NULL)
            return NULL;
        block->size = size;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *memory = block->bytes + block->used;
    block->used += n_bytes;
    return memory;
}

char *arena_text(struct arena *arena, const char *text, size_t n_bytes)
{
    char *copy = n_bytes + 1 == 0 ? NULL : arena_take(arena, n_bytes + 1, 1);
    return copy == NULL ? NULL : memcpy(copy, text, n_bytes);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : arena_take(arena, (size_t)n + 1, 1);
    if (text != NULL)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}
