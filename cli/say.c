/* say.c - one line to stderr, and what a terminal must not see made visible.
 *
 *     format -> text[] -> control bytes as \xNN -> one write
 */
#include "cli/say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SAY_BYTES_MAX 4096

char *say_clean(const char *text, size_t n_bytes, char *ret_text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool control = byte < 0x20 || byte == 0x7f;
        if (n + (control ? 4 : 1) + 4 > size) {
            n += (size_t)snprintf(ret_text + n, size - n, "...");
            break;
        }
        if (control)
            n += (size_t)snprintf(ret_text + n, size - n, "\\x%02x", byte);
        else
            ret_text[n++] = (char)byte;
    }
    ret_text[n < size ? n : size - 1] = '\0';
    return ret_text;
}

static void say(const char *prefix, const char *format, va_list values)
{
    char text[SAY_BYTES_MAX], line[SAY_BYTES_MAX];
    size_t n = strlen(prefix);
    vsnprintf(text, sizeof text, format, values);
    memcpy(line, prefix, n);
    say_clean(text, strlen(text), line + n, sizeof line - n - 1);
    n = strlen(line);
    line[n++] = '\n';
    line[n] = '\0';
    fflush(stdout);
    fputs(line, stderr);
}

void say_error(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say("celltap: ", format, values);
    va_end(values);
}

void say_note(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say("", format, values);
    va_end(values);
}
