/* shell.h - texts in commands that people paste into a shell. */
#ifndef DAEMON_SHELL_H
#define DAEMON_SHELL_H

#include <stddef.h>

/* Bytes that the word of a text may take, the NUL included. */
#define SHELL_WORD_BYTES(text_bytes) (4 * (text_bytes) + 3)

/* Writes a text as one word for a shell, quoted if need be; returns where its NUL is. */
char *shell_put_word(char *at, const char *text);

#endif
