/* log.h - one line to stderr, with journald's <N> priority where stderr is the journal.
 *
 * The level is the program's only global.  Any thread. */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stddef.h>

enum log_level {
    LOG_LEVEL_ERR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

/* Looks once whether stderr is the journal ($JOURNAL_STREAM); lines above `level` are dropped. */
void log_init(enum log_level level);

/* One line; control characters in it are escaped. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The level called "err", "warning", "notice", "info" or "debug"; -1: there is none. */
int log_level_find(const char *name);

/* Copies text with control characters as \xNN, so that it stays one line and cannot steer a
 * terminal.  At most n_bytes are written, NUL included; what does not fit is cut at a character. */
void log_escape(char *ret_text, size_t n_bytes, const char *text);

#endif
