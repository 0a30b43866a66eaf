/* sd.h - what systemd is told, over libsystemd; without systemd every call does nothing.
 *
 * The loop's thread only. */
#ifndef DAEMON_SD_H
#define DAEMON_SD_H

#include <stdint.h>

void sd_ready(void);     /* READY=1, after all sockets listen */
void sd_stopping(void);  /* STOPPING=1 */
void sd_reloading(void); /* RELOADING=1 with MONOTONIC_USEC; sd_ready ends it */
void sd_status(const char *format, ...) __attribute__((format(printf, 1, 2))); /* STATUS= */
void sd_watchdog(void);                                                        /* WATCHDOG=1 */
uint64_t sd_watchdog_interval_ms(void); /* half of $WATCHDOG_USEC; 0: none wanted */

#endif
