/* opts.h - a subcommand's options: one table from which they are parsed and --help is printed.
 *
 *     row:  --name, letter | kind | value as shown | offset into the command's struct | sentence
 *
 * `--name value`, `--name=value`, `-o value` and `-ovalue` are the same; `--` ends the options; `-`
 * is an argument. */
#ifndef CLI_OPTS_H
#define CLI_OPTS_H

#include <stdint.h>

#include "cli/command.h"

enum opts_kind {
    OPTS_FLAG,   /* bool */
    OPTS_TEXT,   /* const char *, never empty */
    OPTS_COUNT,  /* uint64_t, at least 1 */
    OPTS_NUMBER, /* double, above 0 */
    OPTS_CHOICE  /* int: which of the value's texts, "npy|csv|jsonl" */
};

struct opts_row {
    const char *name; /* without -- */
    char letter;      /* without -; 0: none */
    enum opts_kind kind;
    const char *value;    /* as --help shows it; of a choice all its texts; NULL for a flag */
    size_t offset;        /* into the struct given to opts_parse */
    const char *sentence; /* NULL: --help names it alone, the manual explains it */
};

#define OPTS_RUN (-1)

/* Fills *values (defaults are the caller's) and ret_arguments [command->n_arguments].  OPTS_RUN: go
 * on; otherwise the exit code: help was printed, or a usage error said. */
int opts_parse(const struct command *command, int argc, char **argv, void *values,
               const char **ret_arguments);

/* The number that `text` is, wholly; false if it is none.  For values of more than one kind. */
bool opts_number(const char *text, double *ret_number);

/* The nearest of n_names names to a mistyped one, NULL if none is near. */
const char *opts_nearest(const char *text, const char *const *names, size_t n_names);

/* "--control URL" is the same everywhere. */
#define OPTS_CONTROL(type)                                                                         \
    {                                                                                              \
        .name = "control", .kind = OPTS_TEXT, .value = "URL", .offset = offsetof(type, control),   \
        .sentence = "the daemon's control socket"                                                  \
    }

#endif
