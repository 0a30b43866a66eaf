/* streams.c - celltap streams: the streams that the daemon keeps, page after page.
 *
 *     {"cmd": "streams", "cursor": c, "match": glob} --> a row each --> cursor of the next page
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/json.h"
#include "cli/opts.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/streams.h"

#define STREAMS_A_PAGE 1000 /* as many as the daemon gives at once */

struct streams_options {
    const char *control;
    struct streams_wish wish;
};

/* Nanoseconds since 1970 as "2020-03-09 10:14:33". */
static const char *streams_time(const unsigned char *map, const unsigned char *end, char *ret_text,
                                size_t size)
{
    time_t seconds = (time_t)(control_number(map, end, "ts") / 1e9);
    struct tm date;
    *ret_text = '\0';
    if (gmtime_r(&seconds, &date))
        strftime(ret_text, size, "%Y-%m-%d %H:%M:%S", &date);
    return ret_text;
}

/* "-", "120/750", "calm", "ALARM". */
static const char *streams_detector(const unsigned char *map, const unsigned char *end,
                                    char ret_text[64])
{
    struct celltap_token detector, alarm;
    const unsigned char *at;
    char phase[16];
    if (celltap_map_find(map, end, "detector", &detector, &at) < 0 ||
        detector.kind != CELLTAP_TOKEN_MAP)
        return strcpy(ret_text, "-");
    if (strcmp(control_text(at, end, "phase", phase, sizeof phase), "warmup") == 0)
        snprintf(ret_text, 64, "%llu/%llu", (unsigned long long)control_count(at, end, "warm"),
                 (unsigned long long)control_count(at, end, "warmup"));
    else if (celltap_map_find(at, end, "alarm", &alarm, NULL) == 0 && alarm.boolean)
        strcpy(ret_text, "ALARM");
    else
        strcpy(ret_text, "calm");
    return ret_text;
}

/* How often an alarm has begun. */
static uint64_t streams_events(const unsigned char *map, const unsigned char *end)
{
    struct celltap_token detector;
    const unsigned char *at;
    return celltap_map_find(map, end, "detector", &detector, &at) == 0 &&
                   detector.kind == CELLTAP_TOKEN_MAP
               ? control_count(at, end, "events")
               : 0;
}

static void streams_row(FILE *file, const unsigned char *item, const unsigned char *end)
{
    char name[CELLTAP_STREAM_NAME_MAX + 1], model[128], ts[32], a[32], b[32], c[32], d[32], e[32];
    char detector[64];
    fprintf(file, "%-24s  %-12s  %12s  %12s  %9s  %6s  %9s  %6s  %s\n",
            control_text(item, end, "stream", name, sizeof name),
            control_text(item, end, "model", model, sizeof model),
            progress_thousands(control_count(item, end, "seq"), a),
            progress_thousands(control_count(item, end, "frames"), b),
            progress_thousands(control_count(item, end, "duplicate"), c),
            progress_thousands(control_count(item, end, "gaps"), d),
            streams_detector(item, end, detector), progress_thousands(streams_events(item, end), e),
            streams_time(item, end, ts, sizeof ts));
}

/* Asks for one page and prints it.  1: there are more, 0: that was the last, -1. */
static int streams_page(FILE *file, struct control *control, const struct streams_wish *wish,
                        uint64_t *cursor, uint64_t *n_shown, char *ret_error)
{
    struct celltap_writer *writer = control_begin(control, "streams", 3);
    struct control_reply reply;
    struct celltap_token token;
    const unsigned char *item = NULL;
    uint64_t left = wish->limit ? wish->limit - *n_shown : UINT64_MAX;
    celltap_put_str(writer, "limit");
    celltap_put_uint(writer, left < STREAMS_A_PAGE ? left : STREAMS_A_PAGE);
    celltap_put_str(writer, "cursor");
    celltap_put_uint(writer, *cursor);
    celltap_put_str(writer, "match");
    celltap_put_str(writer, wish->match ? wish->match : "*");
    if (control_ask(control, &reply, ret_error) < 0)
        return -1;
    for (size_t n = control_items(reply.map, reply.end, "streams", &item); n > 0; n--) {
        const unsigned char *at = item;
        if (celltap_token_skip(&item, reply.end) < 0)
            return 0;
        if (wish->json) {
            fputs(*n_shown ? ", " : "", file);
            json_msgpack(file, &at, reply.end);
        } else {
            streams_row(file, at, reply.end);
        }
        ++*n_shown;
    }
    if (celltap_map_find(reply.map, reply.end, "cursor", &token, NULL) < 0 ||
        token.kind != CELLTAP_TOKEN_UINT || (wish->limit && *n_shown >= wish->limit))
        return 0;
    *cursor = token.uint;
    return 1;
}

int streams_print(FILE *file, struct control *control, const struct streams_wish *wish,
                  char *ret_error)
{
    uint64_t cursor = 0, n_shown = 0;
    int code;
    if (wish->json)
        fputs("{\"streams\": [", file);
    else
        fprintf(file, "%-24s  %-12s  %12s  %12s  %9s  %6s  %9s  %6s  %s\n", "stream", "model",
                "seq", "frames", "duplicate", "gaps", "detector", "events", "last");
    while ((code = streams_page(file, control, wish, &cursor, &n_shown, ret_error)) > 0)
        ;
    if (wish->json)
        fputs("]}\n", file);
    return code;
}

static int streams_run(int argc, char **argv)
{
    struct streams_options options = {0};
    struct control *control = NULL;
    char error[CONTROL_ERROR_MAX];
    int code = opts_parse(&streams_command, argc, argv, &options, NULL);
    if (code != OPTS_RUN)
        return code;
    code = control_open(options.control, &control, error);
    if (code == 0)
        code = streams_print(stdout, control, &options.wish, error);
    if (code < 0)
        say_error("%s", error);
    control_close(control);
    return code < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static const struct opts_row STREAMS_ROWS[] = {
    {.name = "match",
     .kind = OPTS_TEXT,
     .value = "GLOB",
     .offset = offsetof(struct streams_options, wish.match),
     .sentence = "these streams (all)"},
    {.name = "limit",
     .kind = OPTS_COUNT,
     .value = "N",
     .offset = offsetof(struct streams_options, wish.limit),
     .sentence = "no more than these (all)"},
    {.name = "json",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct streams_options, wish.json),
     .sentence = "one JSON object"},
    OPTS_CONTROL(struct streams_options),
};

const struct command streams_command = {
    .name = "streams",
    .arguments = "",
    .sentence = "The streams that the daemon keeps, and where each of them is.",
    .example = "  celltap streams --match 'pump/*'\n",
    .rows = STREAMS_ROWS,
    .n_rows = sizeof STREAMS_ROWS / sizeof *STREAMS_ROWS,
    .run = streams_run,
};
