/* sd.c - what systemd is told: one datagram to $NOTIFY_SOCKET for each word, as sd_notify(3) has it.
 *
 *     $NOTIFY_SOCKET   /path, or @name (abstract)   <--datagram--  "READY=1"
 *
 * libsystemd's sd_notify waits while the socket is full, and the loop with it; here a full socket
 * is an answer.  Other failures are ignored: systemd notices silence by itself, and there is
 * nothing better to do about it here.  The loop's thread only. */
#include "daemon/sd.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"

#define SD_STATUS_BYTES 512 /* `systemctl status` shows one line */

/* The address in $NOTIFY_SOCKET; returns its length, 0: there is none. */
static socklen_t sd_address(struct sockaddr_un *ret_address)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || (path[0] != '/' && path[0] != '@') || path[1] == '\0')
        return 0;
    size_t n_bytes = strlen(path);
    if (n_bytes >= sizeof(ret_address->sun_path))
        return 0;
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, n_bytes);
    if (path[0] == '@')
        ret_address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n_bytes);
}

/* False: the socket is full. */
static bool sd_send(const char *text)
{
    struct sockaddr_un address;
    socklen_t address_bytes = sd_address(&address);
    if (address_bytes == 0)
        return true;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    ssize_t sent = sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, address_bytes);
    bool full = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS);
    close(fd);
    return !full;
}

/* A state replaces the one that is due: whoever has not read that needs only the last. */
static void sd_enter(struct sd *sd, const char *text)
{
    snprintf(sd->due, sizeof(sd->due), "%s", text);
    sd_tick(sd);
}

void sd_tick(struct sd *sd)
{
    if (sd->due[0] != '\0' && sd_send(sd->due))
        sd->due[0] = '\0';
}

void sd_ready(struct sd *sd)
{
    sd_enter(sd, "READY=1");
}

void sd_stopping(struct sd *sd)
{
    sd_enter(sd, "STOPPING=1");
}

void sd_reloading(struct sd *sd)
{
    char text[SD_STATE_BYTES];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)usec);
    sd_enter(sd, text);
}

void sd_status(const char *format, ...)
{
    char text[SD_STATUS_BYTES], safe[2 * SD_STATUS_BYTES], line[2 * SD_STATUS_BYTES + 8];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_escape(safe, sizeof safe, text); /* a newline would start another assignment */
    snprintf(line, sizeof line, "STATUS=%s", safe);
    sd_send(line);
}

void sd_more_time(void)
{
    sd_send("EXTEND_TIMEOUT_USEC=30000000");
}

void sd_watchdog(void)
{
    sd_send("WATCHDOG=1");
}

/* A number in the environment; 0: it is not there, or is none. */
static uint64_t sd_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 ? number : 0;
}

uint64_t sd_watchdog_interval_ms(void)
{
    uint64_t usec = sd_number("WATCHDOG_USEC");
    if (getenv("WATCHDOG_PID") != NULL && sd_number("WATCHDOG_PID") != (uint64_t)getpid())
        return 0;
    if (usec == 0)
        return 0;
    uint64_t ms = usec / 2000;
    return ms > 0 ? ms : 1;
}
