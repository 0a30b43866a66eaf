/* memory.c - how the C library keeps the memory that messages leave behind.
 *
 *     loop's thread: new message --> queue of a subscriber --> nng's thread: free
 *
 * Memory that one thread allocates and another frees lets glibc keep a heap per thread, each as
 * large as its largest backlog was; so there are few heaps, and what they do not need is given back. */
#include "daemon/memory.h"

#include <malloc.h>

#define MEMORY_HEAPS 2 /* the loop's and one for nng's threads */

void memory_init(void)
{
    mallopt(M_ARENA_MAX, MEMORY_HEAPS);
}

void memory_trim(void)
{
    malloc_trim(0);
}
