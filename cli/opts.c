/* opts.c - a subcommand's options: parsed and explained from one table.
 *
 *     argv --> row by name or letter --> value by kind --> offset in the command's struct
 *
 * Every fault is one line on stderr that names the nearest option or the values allowed. */
#include "cli/opts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/say.h"

#define OPTS_NAME_MAX  64 /* bytes of a name looked at for its neighbours */
#define OPTS_ROWS_MAX  32
#define OPTS_FAR_AWAY  3  /* edits; a name further away is no help */
#define OPTS_HELP_WIDE 30 /* columns before the sentence */

/* ---- nearest name -------------------------------------------------------------------------- */

static size_t opts_distance(const char *a, const char *b)
{
    size_t row[OPTS_NAME_MAX + 1];
    size_t n = strnlen(b, OPTS_NAME_MAX);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] && i <= OPTS_NAME_MAX; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

const char *opts_nearest(const char *text, const char *const *names, size_t n_names)
{
    const char *nearest = NULL;
    size_t least = OPTS_FAR_AWAY + 1;
    for (size_t i = 0; i < n_names; i++) {
        size_t n_bytes = strlen(text);
        size_t distance = opts_distance(text, names[i]);
        if (n_bytes >= 2 && strncmp(names[i], text, n_bytes) == 0)
            distance = 1; /* its beginning */
        if (distance < least && distance < strlen(names[i])) {
            least = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

/* ---- help ---------------------------------------------------------------------------------- */

static void opts_help_rest(const struct command *command)
{
    const char *before = "  celltap(1):";
    for (size_t i = 0; i < command->n_rows; i++)
        if (command->rows[i].sentence == NULL) {
            printf("%s --%s", before, command->rows[i].name);
            before = "";
        }
    if (*before == '\0')
        putchar('\n');
}

static void opts_help(const struct command *command)
{
    printf("Usage: celltap %s%s%s%s\n\n%s\n\n", command->name, *command->arguments ? " " : "",
           command->arguments, command->n_rows ? " [OPTION]..." : "", command->sentence);
    for (size_t i = 0; i < command->n_rows; i++) {
        const struct opts_row *row = &command->rows[i];
        char left[80], letter[5] = "";
        if (row->sentence == NULL)
            continue;
        if (row->letter)
            snprintf(letter, sizeof letter, "-%c, ", row->letter);
        int n = snprintf(left, sizeof left, "  %s--%s %s", letter, row->name,
                         row->value ? row->value : "");
        if (n < OPTS_HELP_WIDE)
            printf("%-*s%s\n", OPTS_HELP_WIDE, left, row->sentence);
        else
            printf("%s  %s\n", left, row->sentence);
    }
    opts_help_rest(command);
    printf("%-*sthis text\n\nExample:\n%s", OPTS_HELP_WIDE, "  --help", command->example);
}

/* ---- values -------------------------------------------------------------------------------- */

bool opts_number(const char *text, double *ret_number)
{
    char *end;
    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    *ret_number = strtod(text, &end);
    return *end == '\0' && isfinite(*ret_number);
}

static int opts_choice(const char *choices, const char *text)
{
    size_t n_bytes = strlen(text);
    int ix = 0;
    for (const char *at = choices; *at; ix++) {
        size_t n = strcspn(at, "|");
        if (n == n_bytes && strncmp(at, text, n) == 0)
            return ix;
        at += n + (at[n] == '|');
    }
    return -1;
}

/* What is expected instead of `text`, or NULL once the value has been taken. */
static const char *opts_take(const struct opts_row *row, const char *text, void *at)
{
    double number;
    char *end;
    unsigned long long count;
    switch (row->kind) {
    case OPTS_TEXT:
        *(const char **)at = text;
        return *text ? NULL : "a text";
    case OPTS_COUNT:
        errno = 0;
        count = strtoull(text, &end, 10);
        if (!*text || strspn(text, "0123456789") != strlen(text) || errno || count == 0)
            return "a whole number from 1";
        *(uint64_t *)at = count;
        return NULL;
    case OPTS_NUMBER:
        if (!opts_number(text, &number) || number <= 0)
            return "a number above 0";
        *(double *)at = number;
        return NULL;
    case OPTS_CHOICE:
        if (opts_choice(row->value, text) < 0)
            return row->value;
        *(int *)at = opts_choice(row->value, text);
        return NULL;
    case OPTS_FLAG:
        break;
    }
    return "no value";
}

/* ---- parsing ------------------------------------------------------------------------------- */

static const struct opts_row *opts_find(const struct command *command, const char *name,
                                        size_t n_bytes, char letter)
{
    for (size_t i = 0; i < command->n_rows; i++) {
        const struct opts_row *row = &command->rows[i];
        if (letter ? row->letter == letter
                   : strlen(row->name) == n_bytes && memcmp(row->name, name, n_bytes) == 0)
            return row;
    }
    return NULL;
}

static int opts_unknown(const struct command *command, const char *text, const char *name)
{
    const char *names[OPTS_ROWS_MAX];
    size_t n = 0;
    for (; n < command->n_rows && n < OPTS_ROWS_MAX; n++)
        names[n] = command->rows[n].name;
    const char *nearest = name ? opts_nearest(name, names, n) : NULL;
    if (nearest)
        say_error("%s has no option %s; did you mean --%s?", command->name, text, nearest);
    else
        say_error("%s has no option %s; see celltap %s --help", command->name, text, command->name);
    return COMMAND_USAGE;
}

/* Takes the option at argv[*ix], and its value behind it. */
static int opts_option(const struct command *command, int argc, char **argv, int *ix, void *values)
{
    const char *text = argv[*ix], *value = NULL, *expected;
    const struct opts_row *row;
    char name[OPTS_NAME_MAX] = "";
    if (text[1] == '-') {
        size_t n_bytes = strcspn(text + 2, "=");
        row = opts_find(command, text + 2, n_bytes, 0);
        value = text[2 + n_bytes] ? text + 3 + n_bytes : NULL;
        snprintf(name, sizeof name, "%.*s", (int)n_bytes, text + 2);
    } else {
        row = opts_find(command, NULL, 0, text[1]);
        value = text[2] ? text + 2 : NULL;
    }
    if (!row)
        return opts_unknown(command, text, *name ? name : NULL);
    void *at = (char *)values + row->offset;
    if (row->kind == OPTS_FLAG && !value) {
        *(bool *)at = true;
        return 0;
    }
    if (!value && row->kind != OPTS_FLAG && *ix + 1 < argc)
        value = argv[++*ix];
    if (!value) {
        say_error("--%s needs a value: %s", row->name, row->value);
        return COMMAND_USAGE;
    }
    expected = opts_take(row, value, at);
    if (expected) {
        say_error("--%s takes %s, not \"%s\"", row->name, expected, value);
        return COMMAND_USAGE;
    }
    return 0;
}

int opts_parse(const struct command *command, int argc, char **argv, void *values,
               const char **ret_arguments)
{
    size_t n = 0;
    bool ended = false;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--") == 0)
            break;
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            opts_help(command);
            return COMMAND_OK;
        }
    for (int i = 1; i < argc; i++) {
        if (!ended && strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (!ended && argv[i][0] == '-' && argv[i][1]) {
            int code = opts_option(command, argc, argv, &i, values);
            if (code)
                return code;
        } else if (n == command->n_arguments) {
            say_error("%s does not take \"%s\"; usage: celltap %s %s", command->name, argv[i],
                      command->name, command->arguments);
            return COMMAND_USAGE;
        } else {
            ret_arguments[n++] = argv[i];
        }
    }
    if (n < command->n_arguments) {
        say_error("usage: celltap %s %s; see celltap %s --help", command->name, command->arguments,
                  command->name);
        return COMMAND_USAGE;
    }
    return OPTS_RUN;
}
