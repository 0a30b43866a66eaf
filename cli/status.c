/* status.c - celltap status: what the daemon is and what has gone through it.
 *
 *     {"cmd": "status"} --> a page for people, or the reply as one JSON object
 */
#include <stdbool.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/json.h"
#include "cli/opts.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/status.h"

struct status_options {
    const char *control;
    bool json;
};

static const char *status_number(const unsigned char *map, const unsigned char *end,
                                 const char *key, char ret_text[32])
{
    return progress_thousands(control_count(map, end, key), ret_text);
}

/* "rejected: 3 (values: 2, stream: 1)" */
static void status_rejects(FILE *file, const struct control_reply *reply)
{
    const unsigned char *at;
    struct celltap_token map, key, count;
    if (celltap_map_find(reply->map, reply->end, "rejects", &map, &at) < 0 ||
        map.kind != CELLTAP_TOKEN_MAP)
        return;
    celltap_token_read(&at, reply->end, &map);
    for (size_t i = 0; i < map.n_items; i++) {
        char reason[128], number[32];
        if (celltap_token_read(&at, reply->end, &key) < 0 ||
            celltap_token_read(&at, reply->end, &count) < 0 || key.kind != CELLTAP_TOKEN_STR ||
            count.kind != CELLTAP_TOKEN_UINT)
            return;
        if (count.uint)
            fprintf(file, "          %s: %s\n",
                    say_clean((const char *)key.bytes, key.n_bytes, reason, sizeof reason),
                    progress_thousands(count.uint, number));
    }
}

static void status_frames(FILE *file, const struct control_reply *reply)
{
    const unsigned char *map = reply->map, *end = reply->end;
    char a[32], b[32], c[32], d[32];
    fprintf(file, "frames    %s accepted (%.0f/s), %s duplicate, %s gaps, %s rejected\n",
            status_number(map, end, "accepted", a), control_number(map, end, "per_second"),
            status_number(map, end, "duplicate", b), status_number(map, end, "gaps", c),
            status_number(map, end, "rejected", d));
    status_rejects(file, reply);
    fprintf(file, "waiting   %s messages, %s bytes\n", status_number(map, end, "queue_messages", a),
            status_number(map, end, "queue_bytes", b));
    fprintf(file, "streams   %s of at most %s\n", status_number(map, end, "streams", a),
            status_number(map, end, "max_streams", b));
    fprintf(file, "process   %.1f MiB, %s turns, %s listeners re-opened\n",
            control_number(map, end, "memory_bytes") / (1024 * 1024),
            status_number(map, end, "turns", a), status_number(map, end, "listeners_reopened", b));
}

static void status_journal(FILE *file, const struct control_reply *reply)
{
    const unsigned char *at;
    struct celltap_token journal;
    char directory[512], sync[32], fault[256], written[32], synced[32];
    if (celltap_map_find(reply->map, reply->end, "journal", &journal, &at) < 0)
        return;
    if (journal.kind != CELLTAP_TOKEN_MAP) {
        fprintf(file, "journal   off\n");
        return;
    }
    fprintf(file, "journal   %s: sync %s, %s bytes written, %s synced\n",
            control_text(at, reply->end, "directory", directory, sizeof directory),
            control_text(at, reply->end, "sync", sync, sizeof sync),
            status_number(at, reply->end, "position", written),
            status_number(at, reply->end, "synced", synced));
    if (control_text(at, reply->end, "fault", fault, sizeof fault)[0] != '\0')
        fprintf(file, "          holding frames back: %s\n", fault);
}

static void status_detectors(FILE *file, const struct control_reply *reply)
{
    const unsigned char *at, *end = reply->end;
    struct celltap_token detectors;
    char a[32], b[32], c[32], d[32];
    if (celltap_map_find(reply->map, end, "detectors", &detectors, &at) < 0)
        return;
    fprintf(file, "detectors %s streams watched, %s warming up; %s alarms now, %s events\n",
            status_number(at, end, "watched", a), status_number(at, end, "warming", b),
            status_number(at, end, "alarms", c), status_number(at, end, "events", d));
}

static void status_models(FILE *file, const struct control_reply *reply)
{
    const unsigned char *item = NULL, *end = reply->end;
    size_t n = control_items(reply->map, end, "models", &item);
    char name[128], path[512], values[32], streams[32];
    for (size_t i = 0; i < n; i++) {
        struct celltap_token watched;
        bool any = control_count(item, end, "values") == 0;
        bool is_watched = celltap_map_find(item, end, "watched", &watched, NULL) == 0 &&
                          watched.kind == CELLTAP_TOKEN_BOOL && watched.boolean;
        fprintf(file, "model     %s: %s, %s values, %s streams, %s\n",
                control_text(item, end, "name", name, sizeof name),
                control_text(item, end, "file", path, sizeof path),
                any ? "any number of" : status_number(item, end, "values", values),
                status_number(item, end, "streams", streams),
                is_watched ? "watched" : "not watched");
        if (celltap_token_skip(&item, end) < 0)
            return;
    }
}

static void status_taps(FILE *file, const struct control_reply *reply)
{
    const unsigned char *item = NULL, *url = NULL, *end = reply->end;
    size_t n = control_items(reply->map, end, "taps", &item);
    char name[128], kind[32], text[512], a[32], b[32], c[32], d[32];
    for (size_t i = 0; i < n; i++) {
        struct celltap_token token;
        fprintf(file, "tap       %s: %s, %s subscribers, %s records, %s messages, %s bytes\n",
                control_text(item, end, "name", name, sizeof name),
                control_text(item, end, "kind", kind, sizeof kind),
                status_number(item, end, "subscribers", a), status_number(item, end, "records", b),
                status_number(item, end, "messages", c), status_number(item, end, "bytes", d));
        for (size_t j = control_items(item, end, "urls", &url); j > 0; j--) {
            if (celltap_token_read(&url, end, &token) < 0 || token.kind != CELLTAP_TOKEN_STR)
                return;
            fprintf(file, "          %s\n",
                    say_clean((const char *)token.bytes, token.n_bytes, text, sizeof text));
        }
        if (celltap_token_skip(&item, end) < 0)
            return;
    }
}

void status_print(FILE *file, const struct control_reply *reply)
{
    const unsigned char *map = reply->map, *end = reply->end;
    char version[64], kernel[32], config[512];
    unsigned long long s = control_count(map, end, "uptime_ms") / 1000;
    fprintf(file, "celltapd  %s, pid %llu, up %llu:%02llu:%02llu, kernel %s, threads %llu\n",
            control_text(map, end, "version", version, sizeof version),
            (unsigned long long)control_count(map, end, "pid"), s / 3600, s / 60 % 60, s % 60,
            control_text(map, end, "kernel", kernel, sizeof kernel),
            (unsigned long long)control_count(map, end, "threads"));
    fprintf(file, "config    %s\n", control_text(map, end, "config", config, sizeof config));
    status_frames(file, reply);
    status_journal(file, reply);
    status_detectors(file, reply);
    status_models(file, reply);
    status_taps(file, reply);
}

static int status_run(int argc, char **argv)
{
    struct status_options options = {0};
    struct control *control = NULL;
    struct control_reply reply;
    char error[CONTROL_ERROR_MAX];
    int code = opts_parse(&status_command, argc, argv, &options, NULL);
    if (code != OPTS_RUN)
        return code;
    if (control_open(options.control, &control, error) < 0)
        goto fail;
    control_begin(control, "status", 0);
    if (control_ask(control, &reply, error) < 0)
        goto fail;
    if (options.json) {
        json_msgpack(stdout, &reply.map, reply.end);
        putchar('\n');
    } else {
        status_print(stdout, &reply);
    }
    control_close(control);
    return COMMAND_OK;
fail:
    say_error("%s", error);
    control_close(control);
    return COMMAND_FAILED;
}

static const struct opts_row STATUS_ROWS[] = {
    {.name = "json",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct status_options, json),
     .sentence = "one JSON object"},
    OPTS_CONTROL(struct status_options),
};

const struct command status_command = {
    .name = "status",
    .arguments = "",
    .sentence = "What the daemon is doing: frames, journal, detectors, models, taps.",
    .example = "  celltap status --json | jq .per_second\n",
    .rows = STATUS_ROWS,
    .n_rows = sizeof STATUS_ROWS / sizeof *STATUS_ROWS,
    .run = status_run,
};
