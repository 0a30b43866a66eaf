/* heat.h - a value as a cell of colour, or as a character where there is none.
 *
 *     -1 .......... 0 .......... +1          blue, white, red; without colour eight heights of a bar
 */
#ifndef CLI_HEAT_H
#define CLI_HEAT_H

#include <stdio.h>

enum heat_mode {
    HEAT_PLAIN,  /* characters */
    HEAT_16,     /* the sixteen colours that all have */
    HEAT_256,    /* the cube of 256 */
    HEAT_COLOURS /* any colour */
};

/* What the terminal can, by $NO_COLOR, $COLORTERM and $TERM. */
enum heat_mode heat_mode(void);

/* A value of [-1, 1] (beyond: its end; NaN: a question mark) as `wide` columns. */
void heat_cell(FILE *file, enum heat_mode mode, float value, unsigned wide);

/* Back to the terminal's own colours; to be called behind the last cell of a line. */
void heat_end(FILE *file, enum heat_mode mode);

#endif
