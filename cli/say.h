/* say.h - one line to stderr, and what a terminal must not see made visible.
 *
 * Names of columns, layers and streams come from files and from the network; whatever of them is
 * printed goes through here, so that no escape sequence in a name reaches the terminal. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <stddef.h>

/* "celltap: ..." and a line end to stderr.  Control bytes become \xNN. */
void say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without the name in front: progress and notes. */
void say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Copies text with control bytes as \xNN, cut (with "...") to size - 1 bytes.  Returns ret_text. */
char *say_clean(const char *text, size_t n_bytes, char *ret_text, size_t size);

#endif
