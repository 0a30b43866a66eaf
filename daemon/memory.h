/* memory.h - how the C library keeps the memory that messages leave behind. */
#ifndef DAEMON_MEMORY_H
#define DAEMON_MEMORY_H

/* Before the first thread: few heaps, whoever allocates. */
void memory_init(void);

/* Gives unused pages back to the system; once a second is enough. */
void memory_trim(void);

#endif
