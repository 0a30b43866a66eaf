/* latency.h - how long idle processors may take to wake, asked of the kernel.
 *
 *     latency_take --> /dev/cpu_dma_latency, held open --> latency_put, or the end of the process */
#ifndef DAEMON_LATENCY_H
#define DAEMON_LATENCY_H

#include <stdint.h>

/* CONF_LATENCY_ANY asks for nothing.  Returns what latency_put takes back; -1, after a warning, if
 * the kernel is not asked: the daemon works, and wakes as fast as the machine happens to. */
int latency_take(uint64_t us);
void latency_put(int fd); /* -1 is fine */

#endif
