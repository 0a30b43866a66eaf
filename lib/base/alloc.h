/* alloc.h - the library's only way to memory, able to fail on request.
 *
 * Everything the library allocates comes from here, so that a test can make the Nth allocation fail
 * and see that nothing is leaked, half-built or changed.  Any thread. */
#ifndef LIB_BASE_ALLOC_H
#define LIB_BASE_ALLOC_H

#include <stddef.h>

#define ALLOC_ALIGN 64 /* bytes: a cache line, and the widest vector */

/* Zeroed memory, aligned to ALLOC_ALIGN; NULL when there is none, or when n_items * item_bytes
 * overflows.  A size of 0 gives a valid pointer. */
void *alloc_new(size_t n_items, size_t item_bytes);

/* memory (not NULL) with another size, perhaps elsewhere; what is new in it is not zeroed, and it is
 * aligned for any type, not to ALLOC_ALIGN.  NULL: there is none, and memory is as it was. */
void *alloc_resize(void *memory, size_t n_bytes);

/* Gives memory back; NULL is fine. */
void alloc_free(void *memory);

/* memory is no longer the library's: whoever called it gives it back with free().  Returns it. */
void *alloc_give(void *memory);

/* Tests: let n more allocations succeed and fail all after them; negative: never fail. */
void alloc_fail_after(long n);

/* Tests: allocations that are alive now. */
long alloc_n_alive(void);

#endif
