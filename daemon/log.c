/* log.c - one line to stderr: level, text, and time where nobody else adds it.
 *
 *     the journal    <4>text                                    journald knows time and program
 *     anything else  2026-01-31 23:59:59.123 celltapd: warning: text
 *
 * A line is one write(2), so lines of several threads do not mix.  Does not allocate; cannot
 * fail: a line that cannot be written is lost. */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_BYTES 2048 /* below PIPE_BUF: one write is one piece */

static struct {
    enum log_level level;
    bool to_journal;
} log_state = {LOG_LEVEL_INFO, false};

static const char *const log_names[] = {
    [LOG_LEVEL_ERR] = "err",   [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
    [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
};

/* systemd sets $JOURNAL_STREAM to the device and inode of the stream it connected; whoever
 * redirects stderr afterwards leaves the variable behind, so the numbers are compared. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;
    return stream != NULL && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_init(enum log_level level)
{
    log_state.level = level;
    log_state.to_journal = is_journal();
}

int log_level_find(const char *name)
{
    for (int level = LOG_LEVEL_ERR; level <= LOG_LEVEL_DEBUG; level++)
        if (strcmp(name, log_names[level]) == 0)
            return level;
    return -1;
}

/* Bytes of the character at `text` as it is to be printed; *ret_escape if it is a control
 * character: C0, DEL, or C1, which UTF-8 spells c2 80 .. c2 9f. */
static size_t character(const unsigned char *text, bool *ret_escape)
{
    *ret_escape = text[0] < 0x20 || text[0] == 0x7f ||
                  (text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f);
    if (*ret_escape)
        return text[0] == 0xc2 ? 2 : 1;
    size_t n = 1;
    while (n < 4 && text[0] >= 0xc0 && (text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

void log_escape(char *ret_text, size_t n_bytes, const char *text)
{
    const unsigned char *from = (const unsigned char *)text;
    char *end = ret_text + n_bytes;
    while (*from != 0) {
        bool escape;
        size_t n = character(from, &escape);
        if ((size_t)(end - ret_text) <= (escape ? 4 * n : n))
            break;
        for (size_t i = 0; i < n; i++)
            if (escape)
                ret_text += sprintf(ret_text, "\\x%02x", from[i]);
            else
                *ret_text++ = (char)from[i];
        from += n;
    }
    *ret_text = 0;
}

static size_t put_head(char *line, size_t n_bytes, enum log_level level)
{
    if (log_state.to_journal)
        return (size_t)snprintf(line, n_bytes, "<%d>", (int)level);
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    size_t n = strftime(line, n_bytes, "%Y-%m-%d %H:%M:%S", &tm);
    return n + (size_t)snprintf(line + n, n_bytes - n,
                                ".%03ld celltapd: %s: ", now.tv_nsec / 1000000, log_names[level]);
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level > log_state.level)
        return;
    char text[LOG_LINE_BYTES / 2], line[LOG_LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = put_head(line, sizeof line, level);
    log_escape(line + n, sizeof line - n - 1, text);
    n += strlen(line + n);
    line[n++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, n);
    (void)written; /* there is nowhere left to complain */
}
