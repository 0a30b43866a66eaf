/* reload.c - celltap reload: the daemon takes its changed configuration, all of it or nothing.
 *
 *     {"cmd": "reload"} --> what changed, a line each    or every error of the file, a line each
 */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/opts.h"
#include "cli/say.h"

struct reload_options {
    const char *control;
};

static void reload_print(const struct control_reply *reply)
{
    const unsigned char *item = NULL;
    struct celltap_token token;
    char text[512];
    size_t n = control_items(reply->map, reply->end, "changes", &item);
    if (n == 0)
        puts("nothing has changed");
    for (; n > 0; n--) {
        if (celltap_token_read(&item, reply->end, &token) < 0 || token.kind != CELLTAP_TOKEN_STR)
            return;
        puts(say_clean((const char *)token.bytes, token.n_bytes, text, sizeof text));
    }
}

/* The daemon's errors, each on its own line. */
static void reload_errors(char *errors)
{
    for (char *line = strtok(errors, "\n"); line; line = strtok(NULL, "\n"))
        say_error("%s", line);
}

static int reload_run(int argc, char **argv)
{
    struct reload_options options = {0};
    struct control *control = NULL;
    struct control_reply reply;
    char error[CONTROL_ERROR_MAX];
    int code = opts_parse(&reload_command, argc, argv, &options, NULL);
    if (code != OPTS_RUN)
        return code;
    if (control_open(options.control, &control, error) < 0) {
        say_error("%s", error);
        return COMMAND_FAILED;
    }
    control_begin(control, "reload", 0);
    code = control_ask(control, &reply, error);
    if (code == CONTROL_REFUSED) {
        reload_errors(error);
        say_error("the configuration in force stays as it was");
        code = COMMAND_CONFIGURATION;
    } else if (code < 0) {
        say_error("%s", error);
        code = COMMAND_FAILED;
    } else {
        reload_print(&reply);
    }
    control_close(control);
    return code;
}

static const struct opts_row RELOAD_ROWS[] = {OPTS_CONTROL(struct reload_options)};

const struct command reload_command = {
    .name = "reload",
    .arguments = "",
    .sentence = "The daemon reads its configuration again: all of it, or nothing.",
    .example = "  celltapd --config /etc/celltap/celltapd.yaml --check && celltap reload\n",
    .rows = RELOAD_ROWS,
    .n_rows = sizeof RELOAD_ROWS / sizeof *RELOAD_ROWS,
    .run = reload_run,
};
