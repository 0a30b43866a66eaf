/* shell.c - texts in commands that people paste into a shell. */
#include "daemon/shell.h"

#include <string.h>

char *shell_put_word(char *at, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-";
    if (*text != '\0' && text[strspn(text, plain)] == '\0')
        return stpcpy(at, text);
    *at++ = '\'';
    for (; *text != '\0'; text++)
        at = *text == '\'' ? stpcpy(at, "'\\''") : (*at = *text, at + 1);
    return stpcpy(at, "'");
}
