/* memory.c - how the C library keeps the memory that messages leave behind.
 *
 *     a thread of ours: new message --> queue of a subscriber --> nng's thread: free
 *
 * Memory that one thread allocates and another frees lets glibc keep a heap per thread, each as
 * large as its largest backlog was; so there are few heaps, and what they do not need is given back. */
#include "daemon/memory.h"

#include <malloc.h>

#define MEMORY_HEAPS 1 /* for nng's threads, beside those of the threads that make messages */

void memory_init(size_t n_threads)
{
    mallopt(M_ARENA_MAX, (int)n_threads + MEMORY_HEAPS);
}

void memory_trim(void)
{
    malloc_trim(0);
}
