/* alloc.c - aligned, zeroed memory, with a counter that can run out. */
#include "lib/base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_long alloc_left = -1; /* allocations until all fail; negative: never */
static atomic_long alloc_alive;

static int alloc_may(void)
{
    long left = atomic_load(&alloc_left);
    while (left >= 0) {
        if (left == 0)
            return 0;
        if (atomic_compare_exchange_weak(&alloc_left, &left, left - 1))
            return 1;
    }
    return 1;
}

void *alloc_new(size_t n_items, size_t item_bytes)
{
    size_t n_bytes;
    if (__builtin_mul_overflow(n_items, item_bytes, &n_bytes) || n_bytes > SIZE_MAX - ALLOC_ALIGN)
        return NULL;
    if (!alloc_may())
        return NULL;
    n_bytes = n_bytes == 0 ? ALLOC_ALIGN : (n_bytes + ALLOC_ALIGN - 1) & ~(size_t)(ALLOC_ALIGN - 1);
    void *memory = aligned_alloc(ALLOC_ALIGN, n_bytes);
    if (memory == NULL)
        return NULL;
    atomic_fetch_add(&alloc_alive, 1);
    return memset(memory, 0, n_bytes);
}

void *alloc_resize(void *memory, size_t n_bytes)
{
    return alloc_may() ? realloc(memory, n_bytes) : NULL;
}

void alloc_free(void *memory)
{
    if (memory != NULL)
        atomic_fetch_sub(&alloc_alive, 1);
    free(memory);
}

void *alloc_give(void *memory)
{
    atomic_fetch_sub(&alloc_alive, 1);
    return memory;
}

void alloc_fail_after(long n)
{
    atomic_store(&alloc_left, n);
}

long alloc_n_alive(void)
{
    return atomic_load(&alloc_alive);
}
