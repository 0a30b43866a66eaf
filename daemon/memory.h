/* memory.h - how the C library keeps the memory that messages leave behind. */
#ifndef DAEMON_MEMORY_H
#define DAEMON_MEMORY_H

#include <stddef.h>

/* Before the first thread: few heaps, whoever allocates; n_threads will make messages. */
void memory_init(size_t n_threads);

/* Gives unused pages back to the system; once a second is enough. */
void memory_trim(void);

#endif
