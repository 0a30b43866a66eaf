/* reset.c - celltap reset: a stream's states start afresh, or those and detectors with them. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/opts.h"
#include "cli/say.h"

struct reset_options {
    const char *control;
    bool detector;
};

static int reset_run(int argc, char **argv)
{
    struct reset_options options = {0};
    struct control *control = NULL;
    struct control_reply reply;
    char error[CONTROL_ERROR_MAX];
    const char *stream;
    int code = opts_parse(&reset_command, argc, argv, &options, &stream);
    if (code != OPTS_RUN)
        return code;
    code = control_open(options.control, &control, error);
    if (code == 0) {
        struct celltap_writer *writer =
            control_begin(control, options.detector ? "rewarm" : "reset", 1);
        celltap_put_str(writer, "stream");
        celltap_put_str(writer, stream);
        code = control_ask(control, &reply, error);
    }
    if (code < 0)
        say_error("%s", error);
    else if (options.detector)
        printf("%s: a new warm-up begins with the next frame of %" PRIu64 " stream%s\n", stream,
               control_count(reply.map, reply.end, "streams"),
               control_count(reply.map, reply.end, "streams") == 1 ? "" : "s");
    else
        printf("%s: its next frame starts afresh\n", stream);
    control_close(control);
    return code < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static const struct opts_row RESET_ROWS[] = {
    {.name = "detector",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct reset_options, detector),
     .sentence = "what was learnt goes too; STREAM may be a glob"},
    OPTS_CONTROL(struct reset_options),
};

const struct command reset_command = {
    .name = "reset",
    .arguments = "STREAM",
    .sentence = "Takes a stream's states back to before its first frame.",
    .example = "  celltap reset pump/1\n"
               "  celltap reset --detector 'pump/*'\n",
    .rows = RESET_ROWS,
    .n_rows = sizeof RESET_ROWS / sizeof *RESET_ROWS,
    .n_arguments = 1,
    .run = reset_run,
};
