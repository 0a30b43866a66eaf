/* cell.h - a text as a cell of a csv line. */
#ifndef CLI_CELL_H
#define CLI_CELL_H

#include <stddef.h>
#include <stdio.h>

/* In quotes if it has to be (RFC 4180). */
void cell_text(FILE *file, const char *text, size_t n_bytes);

#endif
