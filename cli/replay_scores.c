/* replay_scores.c - the past scores of a stream, from its journal, as rows of csv. */
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

#define SCORES_ROWS_A_LOOK 64

/* All timesteps that were watched into a file.  0, or -1 with the reason. */
static int scores_write(celltap_replay *past, FILE *file, uint64_t *ret_n_rows, char *ret_error)
{
    struct celltap_journal_error error;
    struct celltap_replay_step step;
    struct progress progress;
    uint64_t n_unwatched = 0, first_unwatched = 0; /* timesteps of a time without a detector */
    int code = 0;
    progress_start(&progress, "timesteps", 1, PROGRESS_SILENT);
    scores_csv_head(file);
    *ret_error = '\0';
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
    snprintf(ret_error, SINK_ERROR_MAX, "the stream has no detector at seq %" PRIu64 ": no scores",
             first_unwatched);
    return -1;
}

int replay_scores_run(celltap_replay *past, const char *path, uint64_t *ret_n_rows, char *ret_error)
{
    *ret_n_rows = 0;
    if (path == NULL)
        return scores_write(past, stdout, ret_n_rows, ret_error);
    char *part = malloc(strlen(path) + sizeof ".part");
    FILE *file = part != NULL ? fopen(strcat(strcpy(part, path), ".part"), "w") : NULL;
    int code = -1;
    if (file == NULL) {
        snprintf(ret_error, SINK_ERROR_MAX, "%s: %s", path, strerror(errno));
    } else {
        code = scores_write(past, file, ret_n_rows, ret_error);
        if (fclose(file) != 0 && code == 0) {
            snprintf(ret_error, SINK_ERROR_MAX, "%s: %s", path, strerror(errno));
            code = -1;
        }
        if (code != 0 || *ret_n_rows == 0) {
            unlink(part);
        } else if (rename(part, path) != 0) {
            snprintf(ret_error, SINK_ERROR_MAX, "%s: %s", path, strerror(errno));
            code = -1;
        }
    }
    free(part);
    return code;
}
