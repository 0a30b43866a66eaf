/* sd.c - what systemd is told, over libsystemd's sd_notify.
 *
 * Without $NOTIFY_SOCKET every call does nothing.  Failures are ignored: systemd notices silence by
 * itself, and there is nothing better to do about it here.  The loop's thread only. */
#include "daemon/sd.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "daemon/log.h"

#define SD_STATUS_BYTES 512 /* `systemctl status` shows one line */

void sd_ready(void)
{
    sd_notify(0, "READY=1");
}

void sd_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void sd_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)usec);
}

void sd_status(const char *format, ...)
{
    char text[SD_STATUS_BYTES], line[2 * SD_STATUS_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_escape(line, sizeof line, text); /* a newline would start another assignment */
    sd_notifyf(0, "STATUS=%s", line);
}

void sd_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}

uint64_t sd_watchdog_interval_ms(void)
{
    uint64_t usec;
    if (sd_watchdog_enabled(0, &usec) <= 0)
        return 0;
    uint64_t ms = usec / 2000;
    return ms > 0 ? ms : 1;
}
