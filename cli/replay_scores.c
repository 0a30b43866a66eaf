/* replay_scores.c - the past scores of a stream as rows of csv: from its journal, or by the daemon. */
#include "cli/replay_scores.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/scores_csv.h"
#include "cli/sink.h"
#include "cli/stop.h"
#include "cli/whole.h"

#define SCORES_ROWS_A_LOOK 64

static int scores_unwatched(uint64_t seq, char *ret_error)
{
    snprintf(ret_error, SINK_ERROR_MAX, "the stream has no detector at seq %" PRIu64 ": no scores",
             seq);
    return -1;
}

/* ---- from a journal ------------------------------------------------------------------------ */

/* All timesteps that were watched into a file.  0, or -1 with the reason. */
static int scores_read(celltap_replay *past, FILE *file, uint64_t *ret_n_rows, char *ret_error)
{
    struct celltap_journal_error error;
    struct celltap_replay_step step;
    struct progress progress;
    uint64_t n_unwatched = 0, first_unwatched = 0; /* timesteps of a time without a detector */
    int code = 0;
    progress_start(&progress, "timesteps", 1, PROGRESS_SILENT);
    while (!stop_asked() && (code = celltap_replay_next(past, &step, &error)) > 0) {
        const struct celltap_score *score =
            code == CELLTAP_REPLAY_ON ? NULL : celltap_panel_score(step.panel, 0);
        if (code != CELLTAP_REPLAY_ON && score == NULL && n_unwatched++ == 0)
            first_unwatched = step.seq;
        if (score != NULL && scores_csv_row(file, step.seq, true, step.ts_ns, score) < 0) {
            snprintf(ret_error, SINK_ERROR_MAX, "%s", strerror(errno));
            break;
        }
        *ret_n_rows += score != NULL;
        if (score == NULL || *ret_n_rows % SCORES_ROWS_A_LOOK == 0) {
            uint64_t n_bytes, total;
            celltap_replay_progress(past, &n_bytes, &total);
            progress.n_bytes = total;
            progress_show(&progress, *ret_n_rows, n_bytes);
        }
    }
    progress_clear(&progress);
    if (code < 0)
        snprintf(ret_error, SINK_ERROR_MAX, "%s", error.text);
    if (code != 0 || stop_asked())
        return -1;
    if (*ret_n_rows > 0 || n_unwatched == 0)
        return 0;
    return scores_unwatched(first_unwatched, ret_error);
}

/* ---- by the daemon ------------------------------------------------------------------------- */

/* A record as a row; *at moves behind it.  0, or -1 with the reason. */
static int scores_row(FILE *file, const unsigned char **at, const unsigned char *end,
                      char *ret_error)
{
    struct celltap_token token;
    const unsigned char *map = *at;
    struct celltap_score score = {.score = control_number(map, end, "score"),
                                  .g = control_number(map, end, "g"),
                                  .level = control_number(map, end, "level")};
    int64_t ts_ns = 0;
    if (celltap_map_find(map, end, "alarm", &token, NULL) == 0)
        score.alarm = token.kind == CELLTAP_TOKEN_BOOL && token.boolean;
    if (celltap_map_find(map, end, "ts", &token, NULL) == 0)
        ts_ns = token.kind == CELLTAP_TOKEN_INT ? token.sint : (int64_t)token.uint;
    if (celltap_token_skip(at, end) < 0) {
        snprintf(ret_error, SINK_ERROR_MAX, "a record from the daemon cannot be read");
        return -1;
    }
    if (scores_csv_row(file, control_count(map, end, "seq"), true, ts_ns, &score) == 0)
        return 0;
    snprintf(ret_error, SINK_ERROR_MAX, "%s", strerror(errno));
    return -1;
}

/* A slice.  0, or a negative code with the reason. */
static int scores_ask(const struct replay_scores *from, struct recall_range *range,
                      struct recall_slice *ret_slice, char *ret_error)
{
    int code = recall_send(from->control, range, ret_error);
    return code == 0 ? recall_receive(from->control, range, ret_slice, ret_error) : code;
}

/* There are no scores: because nothing was watched, or is there nothing? */
static int scores_explain(const struct replay_scores *from, char *ret_error)
{
    struct recall_range range = from->range;
    struct recall_slice slice = {.more = true};
    struct celltap_record_view record;
    range.limit = 1;
    while (!stop_asked() && slice.more && slice.records == slice.end)
        if (scores_ask(from, &range, &slice, ret_error) < 0)
            return -1;
    const unsigned char *at = slice.records;
    if (at < slice.end && celltap_record_read(&at, slice.end, &record) == 0)
        return scores_unwatched(record.seq, ret_error);
    return 0;
}

static int scores_recall(const struct replay_scores *from, FILE *file, uint64_t *ret_n_rows,
                         char *ret_error)
{
    struct recall_range range = from->range;
    struct recall_slice slice = {.more = true};
    struct progress progress;
    int code = 0;
    range.scores = true;
    progress_start(&progress, "timesteps", 1, PROGRESS_SILENT);
    while (code == 0 && slice.more && !stop_asked()) {
        code = scores_ask(from, &range, &slice, ret_error);
        for (const unsigned char *at = slice.records; code == 0 && at < slice.end; *ret_n_rows += 1)
            code = scores_row(file, &at, slice.end, ret_error);
        progress.n_bytes = slice.total;
        progress_show(&progress, *ret_n_rows, slice.n_bytes);
    }
    progress_clear(&progress);
    if (stop_asked())
        *ret_error = '\0';
    if (code < 0 || stop_asked())
        return -1;
    return *ret_n_rows > 0 ? 0 : scores_explain(from, ret_error);
}

/* ---- both ---------------------------------------------------------------------------------- */

static int scores_write(const struct replay_scores *from, FILE *file, uint64_t *ret_n_rows,
                        char *ret_error)
{
    scores_csv_head(file);
    *ret_error = '\0';
    return from->past != NULL ? scores_read(from->past, file, ret_n_rows, ret_error)
                              : scores_recall(from, file, ret_n_rows, ret_error);
}

int replay_scores_run(const struct replay_scores *from, const char *path, uint64_t *ret_n_rows,
                      char *ret_error)
{
    struct whole out;
    *ret_n_rows = 0;
    if (whole_open(path, &out) < 0) {
        snprintf(ret_error, SINK_ERROR_MAX, "%s: %s", path, strerror(errno));
        return -1;
    }
    const char *name = out.path;
    bool is_stdout = whole_is_stdout(&out);
    char number[32];
    int code = scores_write(from, out.file, ret_n_rows, ret_error);
    if (code < 0 && whole_is_unread(&out)) {
        code = 0; /* whoever asked has seen enough */
    } else if (code < 0 || *ret_n_rows == 0) {
        whole_drop(&out);
    } else if (whole_commit(&out) < 0) {
        snprintf(ret_error, SINK_ERROR_MAX, "%s: %s", name, strerror(errno));
        code = -1;
    } else if (!is_stdout) {
        printf("%s: %s timestep%s\n", name, progress_thousands(*ret_n_rows, number),
               *ret_n_rows == 1 ? "" : "s");
    }
    return code;
}
