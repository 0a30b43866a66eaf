/* sd.h - what systemd is told: the protocol of sd_notify(3), never waiting for whoever listens.
 *
 *     READY, RELOADING, STOPPING --> sent, or kept and sent by sd_tick    the last one counts
 *     STATUS, WATCHDOG           --> sent, or dropped                     the next one comes soon
 *
 * Without $NOTIFY_SOCKET every call does nothing.  The loop's thread only. */
#ifndef DAEMON_SD_H
#define DAEMON_SD_H

#include <stdbool.h>
#include <stdint.h>

#define SD_STATE_BYTES 64

struct sd {
    char due[SD_STATE_BYTES]; /* a state that has found the socket full; "": none */
};

void sd_ready(struct sd *sd);     /* READY=1, after all sockets listen */
void sd_more_time(void);          /* asks for 30 s more until READY=1 */
void sd_stopping(struct sd *sd);  /* STOPPING=1 */
void sd_reloading(struct sd *sd); /* RELOADING=1 with MONOTONIC_USEC; sd_ready ends it */
void sd_tick(struct sd *sd);      /* sends the state that is due */
void sd_status(const char *format, ...) __attribute__((format(printf, 1, 2))); /* STATUS= */
void sd_watchdog(void);                                                        /* WATCHDOG=1 */
uint64_t sd_watchdog_interval_ms(void); /* half of $WATCHDOG_USEC; 0: none wanted */

#endif
