/* cell.c - a text as a cell of a csv line. */
#include "cli/cell.h"

#include <stdbool.h>
#include <string.h>

void cell_text(FILE *file, const char *text, size_t n_bytes)
{
    bool quoted = memchr(text, ',', n_bytes) || memchr(text, '"', n_bytes) ||
                  memchr(text, '\n', n_bytes) || memchr(text, '\r', n_bytes);
    if (quoted)
        putc('"', file);
    for (size_t i = 0; i < n_bytes; i++) {
        if (text[i] == '"')
            putc('"', file);
        putc(text[i], file);
    }
    if (quoted)
        putc('"', file);
}
