/* main.c - the celltap command: finds the subcommand and runs it.
 *
 *     celltap NAME ...  --> table of commands --> run() --> exit code (command.h)
 *
 * A reader of stdout that goes away (| head) ends a command quietly. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/opts.h"
#include "cli/say.h"
#include "cli/whole.h"
#include "lib/celltap.h"

static const struct command *const MAIN_COMMANDS[] = {
    &inspect_command, &extract_command, &score_command,   &reservoir_command, &feed_command,
    &watch_command,   &replay_command,  &journal_command, &status_command,    &streams_command,
    &top_command,     &reset_command,   &reload_command,
};

#define MAIN_N_COMMANDS (sizeof MAIN_COMMANDS / sizeof *MAIN_COMMANDS)

static void main_help(void)
{
    printf("Usage: celltap COMMAND [ARGUMENT]... [OPTION]...\n\n"
           "Recurrent networks from the inside, while they run.\n\n");
    for (size_t i = 0; i < MAIN_N_COMMANDS; i++)
        printf("  %-10s %s\n", MAIN_COMMANDS[i]->name, MAIN_COMMANDS[i]->sentence);
    printf("\ncelltap COMMAND --help explains a command, celltap --version says the version.\n\n"
           "Example:\n  celltap inspect pump.onnx\n");
}

static int main_unknown(const char *text)
{
    const char *names[MAIN_N_COMMANDS], *nearest;
    char list[256] = "";
    for (size_t i = 0; i < MAIN_N_COMMANDS; i++) {
        names[i] = MAIN_COMMANDS[i]->name;
        strcat(strcat(list, i ? ", " : ""), names[i]);
    }
    nearest = opts_nearest(text, names, MAIN_N_COMMANDS);
    if (nearest)
        say_error("no command \"%s\"; did you mean %s? There are: %s", text, nearest, list);
    else
        say_error("no command \"%s\"; there are: %s", text, list);
    return COMMAND_USAGE;
}

/* The library takes the widest kernel instead, without a word. */
static void main_warn_of_kernel(void)
{
    const char *wanted = getenv("CELLTAP_KERNEL");
    if (wanted && *wanted && strcmp(wanted, celltap_kernel_name()) != 0)
        say_error("CELLTAP_KERNEL=%s cannot run here; the kernel is %s", wanted,
                  celltap_kernel_name());
}

static int main_run(int argc, char **argv)
{
    if (argc < 2) {
        say_error("usage: celltap COMMAND ...; see celltap --help");
        return COMMAND_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        main_help();
        return COMMAND_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("celltap %s\n", CELLTAP_VERSION);
        return COMMAND_OK;
    }
    main_warn_of_kernel();
    for (size_t i = 0; i < MAIN_N_COMMANDS; i++)
        if (strcmp(argv[1], MAIN_COMMANDS[i]->name) == 0)
            return MAIN_COMMANDS[i]->run(argc - 1, argv + 1);
    return main_unknown(argv[1]);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    int code = main_run(argc, argv);
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (whole_stdout_is_unread())
            return code;
        say_error("cannot write the output%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
        return COMMAND_FAILED;
    }
    return code;
}
