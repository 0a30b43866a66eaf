/* heat.c - a value as a cell of colour, or as a character where there is none.
 *
 *     value -> level of a table -> background of blanks        (any charset, any font)
 *
 * The colours are ColorBrewer's RdBu turned around: as light as each other on both sides. */
#include "cli/heat.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum heat_mode heat_mode(void)
{
    const char *none = getenv("NO_COLOR"), *colour = getenv("COLORTERM"), *term = getenv("TERM");
    if ((none && *none) || !term || strcmp(term, "dumb") == 0 || strncmp(term, "vt", 2) == 0)
        return HEAT_PLAIN;
    if (colour && (strcmp(colour, "truecolor") == 0 || strcmp(colour, "24bit") == 0))
        return HEAT_COLOURS;
    return strstr(term, "256") ? HEAT_256 : HEAT_16;
}

static void heat_repeat(FILE *file, const char *text, unsigned times)
{
    while (times-- > 0)
        fputs(text, file);
}

/* Which of n levels a value of [-1, 1] belongs to. */
static unsigned heat_level(float value, unsigned n)
{
    float at = (value + 1) / 2 * (float)n;
    return at <= 0 ? 0 : at >= (float)n ? n - 1 : (unsigned)at;
}

static void heat_colours(FILE *file, float value)
{
    static const unsigned char stops[][3] = {{33, 102, 172},  {103, 169, 207}, {209, 229, 240},
                                             {247, 247, 247}, {253, 219, 199}, {239, 138, 98},
                                             {178, 24, 43}};
    float at = (fminf(fmaxf(value, -1), 1) + 1) / 2 * 6;
    unsigned from = at >= 6 ? 5 : (unsigned)at;
    float part = at - (float)from;
    unsigned rgb[3];
    for (unsigned i = 0; i < 3; i++)
        rgb[i] = (unsigned)((float)stops[from][i] * (1 - part) + (float)stops[from + 1][i] * part);
    fprintf(file, "\033[48;2;%u;%u;%um", rgb[0], rgb[1], rgb[2]);
}

static void heat_background(FILE *file, enum heat_mode mode, float value)
{
    static const unsigned char cube[] = {25, 32, 74, 117, 153, 231, 224, 217, 210, 167, 124};
    static const unsigned char sixteen[] = {44, 104, 107, 101, 41};
    if (mode == HEAT_COLOURS)
        heat_colours(file, value);
    else if (mode == HEAT_256)
        fprintf(file, "\033[48;5;%um", cube[heat_level(value, sizeof cube)]);
    else
        fprintf(file, "\033[%um", sixteen[heat_level(value, sizeof sixteen)]);
}

static bool heat_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void heat_cell(FILE *file, enum heat_mode mode, float value, unsigned wide)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const marks[] = {"#", "=", "-", ".", ":", "+", "*", "@"};
    if (isnan(value)) {
        heat_end(file, mode);
        heat_repeat(file, "?", wide);
    } else if (mode == HEAT_PLAIN) {
        heat_repeat(file, (heat_is_utf8() ? bars : marks)[heat_level(value, 8)], wide);
    } else {
        heat_background(file, mode, value);
        heat_repeat(file, " ", wide);
    }
}

void heat_end(FILE *file, enum heat_mode mode)
{
    if (mode != HEAT_PLAIN)
        fputs("\033[0m", file);
}
