/* command.h - what a subcommand is, and the codes it exits with.
 *
 *     main.c: table of commands --> command->run(argc, argv) --> opts_parse(): options, arguments
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

enum command_exit {
    COMMAND_OK = 0,
    COMMAND_FAILED = 1,
    COMMAND_USAGE = 2,
    COMMAND_CONFIGURATION = 78 /* EX_CONFIG of sysexits.h */
};

struct opts_row;

struct command {
    const char *name;
    const char *arguments; /* as the usage line shows them: "MODEL DATA.csv -o DIR" */
    const char *sentence;  /* what it does, on one line */
    const char *example;   /* one or two lines */
    const struct opts_row *rows;
    size_t n_rows;
    size_t n_arguments; /* that must be there, neither fewer nor more */
    int (*run)(int argc, char **argv);
};

/* Each in the file of its name. */
extern const struct command extract_command, feed_command, inspect_command, journal_command,
    reload_command, replay_command, reservoir_command, reset_command, score_command, status_command,
    streams_command, top_command, watch_command;

#endif
