/* top.c - celltap top: the daemon's insides, asked for again every second.
 *
 *     {"cmd": "status"}, {"cmd": "streams"} --> a page in memory --> what of it fits the terminal
 *
 * Ends at q and ctrl-C; the terminal is as it was then. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/opts.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/screen.h"
#include "cli/status.h"
#include "cli/stop.h"
#include "cli/streams.h"

#define TOP_PERIOD_MS 1000
#define TOP_STREAMS   500 /* more than these fit no terminal */

struct top_options {
    const char *control, *match;
};

/* The page, to be freed; NULL with the reason. */
static char *top_page(struct control *control, const char *match, char *ret_error)
{
    const struct streams_wish wish = {.match = match, .limit = TOP_STREAMS};
    struct control_reply reply;
    char *text = NULL;
    size_t n_bytes;
    FILE *file = open_memstream(&text, &n_bytes);
    strcpy(ret_error, "out of memory");
    if (file == NULL)
        return NULL;
    control_begin(control, "status", 0);
    int code = control_ask(control, &reply, ret_error);
    if (code == 0) {
        status_print(file, &reply);
        fputc('\n', file);
        code = streams_print(file, control, &wish, ret_error);
    }
    if (fclose(file) == 0 && code == 0)
        return text;
    free(text);
    return NULL;
}

/* Lines of text over those of the screen: as many, and as much of each, as there is room for. */
static void top_draw(const char *text)
{
    unsigned columns, lines;
    screen_size(&columns, &lines);
    fputs("\033[H", stdout);
    for (unsigned i = 0; i < lines; i++) {
        size_t length = strcspn(text, "\n"), shown = length;
        if (shown > columns)
            for (shown = columns; shown > 0 && (text[shown] & 0xc0) == 0x80;)
                shown--;
        printf("%.*s\033[K%s", (int)shown, text, i + 1 < lines ? "\r\n" : "");
        text += length + (text[length] == '\n');
    }
    fflush(stdout);
}

/* Waits for a key until the next page is due.  True: it was q. */
static bool top_wait(uint64_t until_ns)
{
    struct pollfd key = {.fd = screen_key_fd(), .events = POLLIN};
    uint64_t now_ns = progress_now_ns();
    if (now_ns >= until_ns)
        return false;
    poll(&key, 1, (int)((until_ns - now_ns) / 1000000 + 1));
    for (enum screen_key got; (got = screen_key()) != SCREEN_NONE;)
        if (got == SCREEN_QUIT)
            return true;
    return false;
}

static int top_show(struct control *control, const char *match, char *ret_error)
{
    char *text = top_page(control, match, ret_error);
    if (text == NULL)
        return -1;
    screen_open();
    uint64_t next_ns = progress_now_ns();
    while (text != NULL && !stop_asked()) {
        top_draw(text);
        next_ns += (uint64_t)TOP_PERIOD_MS * 1000000;
        while (!stop_asked() && progress_now_ns() < next_ns) {
            if (top_wait(next_ns)) {
                free(text);
                return 0;
            }
            if (screen_changed())
                top_draw(text);
        }
        free(text);
        text = top_page(control, match, ret_error);
    }
    free(text);
    return stop_asked() ? 0 : -1;
}

static int top_run(int argc, char **argv)
{
    struct top_options options = {0};
    struct control *control = NULL;
    char error[CONTROL_ERROR_MAX];
    int code = opts_parse(&top_command, argc, argv, &options, NULL);
    if (code != OPTS_RUN)
        return code;
    if (!screen_is_there()) {
        say_error(
            "top draws on a terminal; celltap status and celltap streams print the same once");
        return COMMAND_USAGE;
    }
    stop_catch();
    code = control_open(options.control, &control, error);
    if (code == 0)
        code = top_show(control, options.match, error);
    screen_close();
    control_close(control);
    if (code < 0 && !stop_asked())
        say_error("%s", error);
    stop_die();
    return code < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static const struct opts_row TOP_ROWS[] = {
    {.name = "match",
     .kind = OPTS_TEXT,
     .value = "GLOB",
     .offset = offsetof(struct top_options, match),
     .sentence = "these streams (all)"},
    OPTS_CONTROL(struct top_options),
};

const struct command top_command = {
    .name = "top",
    .arguments = "",
    .sentence = "The daemon's status and streams, live; q ends it.",
    .example = "  celltap top --match 'pump/*'\n",
    .rows = TOP_ROWS,
    .n_rows = sizeof TOP_ROWS / sizeof *TOP_ROWS,
    .run = top_run,
};
