/* verdict.c - records of scores and anomalies as lines.
 *
 *     people   2026-11-23 07:12:03.250  pump/1  anomaly begins: seq 1501, score 5.86, level 2.1
 *                  flow                   3, expected 0.0157       (100 %)
 *                  reservoir c 10         +14.6 deviations
 *                  celltap replay pump/1 1401..1601 -o anomaly-1501
 *     jsonl    the record as it is
 *     csv      one line: of channels and units the strongest */
#include "cli/verdict.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/cell.h"
#include "cli/control.h"
#include "cli/digits.h"
#include "cli/json.h"

#define NAME_MAX_   256 /* bytes shown of a name */
#define SHOWN_MAX   5   /* channels and units */
#define SHARE_LEAST 0.005

/* ---- keys of a record ---------------------------------------------------------------------- */

static int64_t verdict_ts(const unsigned char *map, const unsigned char *end)
{
    struct celltap_token token;
    if (celltap_map_find(map, end, "ts", &token, NULL) < 0)
        return 0;
    return token.kind == CELLTAP_TOKEN_INT ? token.sint : (int64_t)control_count(map, end, "ts");
}

static bool verdict_bool(const unsigned char *map, const unsigned char *end, const char *key)
{
    struct celltap_token token;
    return celltap_map_find(map, end, key, &token, NULL) == 0 && token.kind == CELLTAP_TOKEN_BOOL &&
           token.boolean;
}

/* "2026-11-23 07:12:03.250", UTC. */
static const char *verdict_time(int64_t ts_ns, char ret_text[64])
{
    int64_t ms = ts_ns / 1000000 - (ts_ns % 1000000 < 0);
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm date;
    *ret_text = '\0';
    if (gmtime_r(&seconds, &date)) {
        size_t n = strftime(ret_text, 48, "%Y-%m-%d %H:%M:%S", &date);
        snprintf(ret_text + n, 64 - n, ".%03d", (int)(ms - (int64_t)seconds * 1000));
    }
    return ret_text;
}

/* ---- for people ---------------------------------------------------------------------------- */

static void verdict_score(FILE *file, const unsigned char *map, const unsigned char *end)
{
    char time[64], stream[NAME_MAX_], phase[32];
    fprintf(file, "%s  %s  seq %" PRIu64, verdict_time(verdict_ts(map, end), time),
            control_text(map, end, "stream", stream, sizeof stream),
            control_count(map, end, "seq"));
    if (strcmp(control_text(map, end, "phase", phase, sizeof phase), "warmup") == 0)
        fputs("  warming up\n", file);
    else
        fprintf(file, "  score %.3f  level %.3f%s\n", control_number(map, end, "score"),
                control_number(map, end, "level"),
                verdict_bool(map, end, "alarm") ? "  ALARM" : "");
}

static void verdict_channels(FILE *file, const unsigned char *map, const unsigned char *end)
{
    const unsigned char *at = NULL;
    size_t n = control_items(map, end, "channels", &at);
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
        char name[NAME_MAX_];
        double share = control_number(at, end, "share");
        if (share >= SHARE_LEAST)
            fprintf(file, "    %-24s  %.6g, expected %.6g (%.0f %%)\n",
                    control_text(at, end, "name", name, sizeof name),
                    control_number(at, end, "value"), control_number(at, end, "expected"),
                    share * 100);
        if (celltap_token_skip(&at, end) < 0)
            return;
    }
}

static void verdict_units(FILE *file, const unsigned char *map, const unsigned char *end)
{
    const unsigned char *at = NULL;
    size_t n = control_items(map, end, "units", &at);
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
        char layer[NAME_MAX_], tensor[32], unit[NAME_MAX_ + 64];
        snprintf(unit, sizeof unit, "%s %s %" PRIu64,
                 control_text(at, end, "layer", layer, sizeof layer),
                 control_text(at, end, "tensor", tensor, sizeof tensor),
                 control_count(at, end, "unit"));
        fprintf(file, "    %-24s  %+.1f deviations\n", unit, control_number(at, end, "deviation"));
        if (celltap_token_skip(&at, end) < 0)
            return;
    }
}

static void verdict_anomaly(FILE *file, const unsigned char *map, const unsigned char *end)
{
    char time[64], stream[NAME_MAX_], event[16], replay[4 * NAME_MAX_];
    uint64_t seq = control_count(map, end, "seq"), since = control_count(map, end, "since");
    bool begins = strcmp(control_text(map, end, "event", event, sizeof event), "begin") == 0;
    fprintf(file, "%s  %s  anomaly %s: seq %" PRIu64, verdict_time(verdict_ts(map, end), time),
            control_text(map, end, "stream", stream, sizeof stream), begins ? "begins" : "ends",
            seq);
    if (!begins) {
        if (since > 0)
            fprintf(file, ", since %" PRIu64, since);
        fprintf(file, ", peak %.3g\n", control_number(map, end, "peak"));
        return;
    }
    fprintf(file, ", score %.3g, level %.3g\n", control_number(map, end, "score"),
            control_number(map, end, "level"));
    verdict_channels(file, map, end);
    verdict_units(file, map, end);
    if (*control_text(map, end, "replay", replay, sizeof replay))
        fprintf(file, "    %s\n", replay);
}

/* ---- csv ----------------------------------------------------------------------------------- */

static void csv_text(FILE *file, const unsigned char *map, const unsigned char *end,
                     const char *key)
{
    struct celltap_token token;
    if (map && celltap_map_find(map, end, key, &token, NULL) == 0 &&
        token.kind == CELLTAP_TOKEN_STR)
        cell_text(file, (const char *)token.bytes, token.n_bytes);
}

/* Behind a comma; empty where there is no number. */
static void csv_number(FILE *file, const unsigned char *map, const unsigned char *end,
                       const char *key)
{
    struct celltap_token token;
    char text[DIGITS_DOUBLE_MAX];
    putc(',', file);
    if (!map || celltap_map_find(map, end, key, &token, NULL) < 0)
        return;
    if (token.kind == CELLTAP_TOKEN_FLOAT)
        fwrite(text, 1, digits_double(token.number, text), file);
    else if (token.kind == CELLTAP_TOKEN_UINT)
        fprintf(file, "%" PRIu64, token.uint);
    else if (token.kind == CELLTAP_TOKEN_INT)
        fprintf(file, "%" PRId64, token.sint);
    else if (token.kind == CELLTAP_TOKEN_BOOL)
        fputs(token.boolean ? "1" : "0", file);
}

static void csv_score(FILE *file, const unsigned char *map, const unsigned char *end)
{
    static const char *const keys[] = {"seq", "ts", "score", "threshold", "g", "level", "alarm"};
    csv_text(file, map, end, "stream");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        csv_number(file, map, end, keys[i]);
    putc('\n', file);
}

/* The first item of an array; NULL: there is none. */
static const unsigned char *csv_first(const unsigned char *map, const unsigned char *end,
                                      const char *key)
{
    const unsigned char *at = NULL;
    return control_items(map, end, key, &at) > 0 ? at : NULL;
}

static void csv_anomaly(FILE *file, const unsigned char *map, const unsigned char *end)
{
    const unsigned char *channel = csv_first(map, end, "channels");
    const unsigned char *unit = csv_first(map, end, "units");
    csv_text(file, map, end, "stream");
    csv_number(file, map, end, "seq");
    csv_number(file, map, end, "ts");
    putc(',', file);
    csv_text(file, map, end, "event");
    csv_number(file, map, end, "score");
    csv_number(file, map, end, "threshold");
    csv_number(file, map, end, "level");
    putc(',', file);
    csv_text(file, channel, end, "name");
    csv_number(file, channel, end, "value");
    csv_number(file, channel, end, "expected");
    csv_number(file, channel, end, "share");
    putc(',', file);
    csv_text(file, unit, end, "layer");
    putc(',', file);
    csv_text(file, unit, end, "tensor");
    csv_number(file, unit, end, "unit");
    csv_number(file, unit, end, "deviation");
    csv_number(file, map, end, "from");
    csv_number(file, map, end, "to");
    putc('\n', file);
}

/* ---- all ----------------------------------------------------------------------------------- */

void verdict_head(FILE *file, const struct verdict_options *options)
{
    if (!options->csv)
        return;
    fputs(options->anomalies
              ? "stream,seq,ts,event,score,threshold,level,channel,value,expected,share,"
                "layer,tensor,unit,deviation,from,to\n"
              : "stream,seq,ts,score,threshold,g,level,alarm\n",
          file);
}

void verdict_print(FILE *file, const struct verdict_options *options, const unsigned char *map,
                   const unsigned char *end)
{
    if (options->jsonl) {
        json_msgpack(file, &map, end);
        putc('\n', file);
    } else if (options->csv) {
        (options->anomalies ? csv_anomaly : csv_score)(file, map, end);
    } else {
        (options->anomalies ? verdict_anomaly : verdict_score)(file, map, end);
    }
}
