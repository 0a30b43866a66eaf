/* journal_start.c - the journal opened, checked, and read into the engine.
 *
 *     directory --> lock --> newest whole snapshot --> check of every byte --> torn end cut off
 *               --> states --> records behind the snapshot, stepped as turns --> the end: go on here
 *
 * A directory that cannot be made or written to, damage, or models that cannot be kept: one line
 * that says what to do, and the daemon does not start.  A snapshot that is not whole is passed over
 * for an older one, and said. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "daemon/journal_priv.h"
#include "daemon/log.h"
#include "daemon/sd.h"
#include "daemon/shell.h"

#define START_STATUS_MS 500
#define START_LOG_MS    5000

struct progress {
    const char *what;
    uint64_t began_ms, status_ms, log_ms, total;
};

static uint64_t start_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void start_progress(void *arg, uint64_t n_bytes)
{
    struct progress *progress = arg;
    uint64_t now_ms = start_now_ms();
    unsigned percent = progress->total > 0 ? (unsigned)(n_bytes * 100 / progress->total) : 0;
    if (now_ms - progress->status_ms < START_STATUS_MS)
        return;
    progress->status_ms = now_ms;
    sd_more_time();
    sd_status("%s the journal: %u %%", progress->what, percent);
    if (now_ms - progress->log_ms < START_LOG_MS)
        return;
    progress->log_ms = now_ms;
    log_line(LOG_LEVEL_INFO, "journal: %s, %u %%", progress->what, percent);
}

static void start_progress_init(struct progress *progress, const char *what, uint64_t total)
{
    uint64_t now_ms = start_now_ms();
    *progress = (struct progress){what, now_ms, now_ms, now_ms, total};
}

/* ---- the directory ------------------------------------------------------------------------ */

static int start_make_dir(struct journal *journal, const char *path)
{
    int code = journal->files->make_dir(journal->files->arg, path);
    if (code == 0)
        return 0;
    log_line(LOG_LEVEL_ERR, "journal: cannot make %s: %s; give state_dir, or say `journal: off`",
             path, strerror(-code));
    return -1;
}

/* One daemon per directory; the same attempt shows whether it can be written to. */
static int start_lock(struct journal *journal)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/lock", journal->directory);
    journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (journal->lock_fd < 0) {
        log_line(LOG_LEVEL_ERR,
                 "journal: cannot write to %s: %s; let celltapd's user write there, give another "
                 "state_dir, or say `journal: off`",
                 journal->directory, strerror(errno));
        return -1;
    }
    if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    log_line(LOG_LEVEL_ERR,
             "journal: another celltapd writes to %s; stop it, or give this one a state_dir of its "
             "own",
             journal->directory);
    return -1;
}

static int start_keep_models(struct journal *journal)
{
    char error[1024];
    size_t n;
    struct serving *const *servings = engine_servings(journal->engine, &n);
    for (size_t i = 0; i < n; i++) {
        if (journal_keep(journal, servings[i], error, sizeof(error)) != 0) {
            log_line(LOG_LEVEL_ERR, "%s", error);
            return -1;
        }
    }
    return 0;
}

/* What an end has left half written is of no use; that it stays is no reason not to start. */
static void start_tidy(const struct journal *journal)
{
    struct celltap_journal_error error;
    if (celltap_journal_tidy(journal->files, journal->directory, &error) != 0)
        log_line(LOG_LEVEL_WARNING, "journal: %s", error.text);
}

/* ---- what is there ------------------------------------------------------------------------ */

/* The newest whole snapshot: NULL if there is none. */
static celltap_snapshot *start_find_snapshot(const struct journal *journal,
                                             const struct celltap_journal_list *list)
{
    celltap_snapshot *snapshot;
    struct celltap_journal_error error;
    for (size_t i = list->n_snapshots; i-- > 0;) {
        if (celltap_snapshot_open(journal->files, journal->directory, list->snapshots[i], &snapshot,
                                  &error) == 0)
            return snapshot;
        log_line(LOG_LEVEL_WARNING, "journal: %s; an older one is taken", error.text);
    }
    return NULL;
}

/* The daemon before may have ended before its last sync, and what it left is built upon. */
static int start_sync(const struct journal *journal, uint64_t synced)
{
    struct celltap_journal_error error;
    if (celltap_journal_sync_from(journal->files, journal->directory, synced, &error) == 0)
        return 0;
    log_line(LOG_LEVEL_ERR, "journal: %s", error.text);
    return -1;
}

/* Another version's journal, or a damaged one: says what to do.  -1. */
static int start_refuse(const struct journal *journal, const struct celltap_journal_check *check)
{
    char word[SHELL_WORD_BYTES(4096)];
    if (check->health == CELLTAP_JOURNAL_FOREIGN) {
        log_line(LOG_LEVEL_ERR,
                 "journal: %s/%016" PRIx64
                 ".seg: %s; start that version, or move the directory away to begin anew",
                 journal->directory, check->bad_segment, check->reason);
        return -1;
    }
    shell_put_word(word, journal->directory);
    log_line(LOG_LEVEL_ERR,
             "journal: damaged: %s/%016" PRIx64 ".seg, offset %" PRIu64
             ": %s; `celltap journal verify --cut --journal %s` cuts it off there (%" PRIu64
             " bytes are lost)",
             journal->directory, check->bad_segment, check->bad_offset, check->reason, word,
             check->n_behind);
    return -1;
}

static int start_check(struct journal *journal, uint64_t synced,
                       struct celltap_journal_check *ret_check)
{
    struct progress progress;
    struct celltap_journal_error error;
    celltap_journal_reader *reader;
    uint64_t total = 0;
    if (celltap_journal_reader_open(journal->files, journal->directory, 0, &reader, &error) == 0) {
        total = celltap_journal_reader_end(reader) - celltap_journal_reader_position(reader);
        celltap_journal_reader_close(reader);
    }
    start_progress_init(&progress, "checking", total);
    if (celltap_journal_check(journal->files, journal->directory, synced, start_progress, &progress,
                              ret_check, &error) != 0) {
        log_line(LOG_LEVEL_ERR, "journal: %s", error.text);
        return -1;
    }
    if (ret_check->health == CELLTAP_JOURNAL_WHOLE)
        return start_sync(journal, synced);
    if (ret_check->health != CELLTAP_JOURNAL_TORN)
        return start_refuse(journal, ret_check);
    log_line(LOG_LEVEL_WARNING,
             "journal: %016" PRIx64 ".seg ends in the middle of a write, offset %" PRIu64
             ": %s; %" PRIu64 " bytes that had not been synced are cut off",
             ret_check->bad_segment, ret_check->bad_offset, ret_check->reason, ret_check->n_behind);
    if (celltap_journal_cut(journal->files, journal->directory, ret_check->end, &error) == 0)
        return start_sync(journal, synced);
    log_line(LOG_LEVEL_ERR, "journal: %s", error.text);
    return -1;
}

/* ---- reading it in ------------------------------------------------------------------------ */

static void start_skip_step(void *arg, size_t shard_ix, const struct serving *serving,
                            const struct engine_column *columns, size_t n_columns,
                            size_t n_turn_left)
{
    (void)arg, (void)shard_ix, (void)serving, (void)columns, (void)n_columns, (void)n_turn_left;
}

static void start_skip_slot(void *arg, size_t shard_ix, size_t slot)
{
    (void)arg, (void)shard_ix, (void)slot;
}

/* Values of the stream's frames, for the built-in model, which takes any number; 0: not known. */
static size_t start_n_channels(const struct journal *journal,
                               const struct celltap_snapshot_stream *stream,
                               const struct engine_detectors *detectors)
{
    struct celltap_journal_error unused;
    celltap_model *model;
    struct serving *serving = NULL;
    size_t n;
    struct serving *const *servings = engine_servings(journal->engine, &n);
    while ((serving = serving_each(servings, n, serving)) != NULL)
        if (serving->file_hash == stream->model_hash)
            return serving->n_channels;
    if (stream->n_held > 0)
        return stream->n_held;
    if (celltap_journal_load_model(journal->files, journal->directory, stream->model_hash, &model,
                                   &unused) != 0)
        return 0;
    n = celltap_model_n_values(model);
    celltap_model_unref(model);
    const celltap_journal_detector *detector =
        stream->detector_hash != 0 ? detectors->find(detectors->arg, stream->detector_hash) : NULL;
    if (detector != NULL && n > 2 &&
        celltap_journal_detector_options(detector)->clock != CELLTAP_CLOCK_NONE)
        n -= 2; /* these it makes itself */
    return n;
}

static int start_load_states(struct journal *journal, celltap_snapshot *snapshot,
                             const struct engine_detectors *detectors)
{
    struct celltap_snapshot_stream stream;
    struct celltap_journal_error error = {"out of memory"};
    int code;
    while ((code = celltap_snapshot_next(snapshot, &stream, &error)) == 1)
        if (engine_restore_stream(journal->engine, &stream,
                                  start_n_channels(journal, &stream, detectors), detectors) < 0)
            break;
    if (code == 0)
        return 0;
    log_line(LOG_LEVEL_ERR, "journal: %s", error.text);
    return -1;
}

static int start_step_record(struct journal *journal, celltap_journal_reader *reader,
                             const struct engine_detectors *detectors)
{
    static const struct engine_sink nobody = {NULL, start_skip_step, start_skip_slot};
    struct celltap_journal_entry entry;
    while (celltap_journal_entry_next(reader, &entry) == 1) {
        if (!engine_has_room(journal->engine, entry.n_values))
            engine_step(journal->engine, &nobody);
        int code;
        while ((code = engine_restore_frame(journal->engine, &entry, detectors)) ==
               ENGINE_RESTORE_STEP)
            engine_step(journal->engine, &nobody);
        if (code < 0)
            return -1;
    }
    engine_step(journal->engine, &nobody);
    return 0;
}

static int start_replay(struct journal *journal, uint64_t position,
                        const struct engine_detectors *detectors)
{
    struct progress progress;
    struct celltap_journal_error error = {"out of memory"};
    celltap_journal_reader *reader;
    int code =
        celltap_journal_reader_open(journal->files, journal->directory, position, &reader, &error);
    if (code == 0) {
        uint64_t from = celltap_journal_reader_position(reader);
        start_progress_init(&progress, "recovering", celltap_journal_reader_end(reader) - from);
        while ((code = celltap_journal_reader_next(reader, &error)) == 1) {
            if (start_step_record(journal, reader, detectors) != 0) {
                code = -1;
                break;
            }
            start_progress(&progress, celltap_journal_reader_position(reader) - from);
        }
        celltap_journal_reader_close(reader);
    }
    if (code != 0)
        log_line(LOG_LEVEL_ERR, "journal: %s", error.text);
    return code == 0 ? 0 : -1;
}

static int start_restore(struct journal *journal, celltap_snapshot *snapshot,
                         const struct celltap_journal_check *check,
                         const struct engine_detectors *detectors)
{
    uint64_t began_ms = start_now_ms();
    if (snapshot == NULL && check->n_segments > 0 && check->first > 0) {
        log_line(LOG_LEVEL_ERR,
                 "journal: no snapshot in %s is whole, and what was before its first segment is "
                 "not kept any more; move the directory away to begin anew",
                 journal->directory);
        return -1;
    }
    if (snapshot != NULL && start_load_states(journal, snapshot, detectors) != 0)
        return -1;
    if (check->n_segments > 0 &&
        start_replay(journal, snapshot != NULL ? celltap_snapshot_position(snapshot) : 0,
                     detectors) != 0)
        return -1;
    if (engine_restore_end(journal->engine) != 0) {
        log_line(LOG_LEVEL_ERR, "journal: out of memory");
        return -1;
    }
    log_line(LOG_LEVEL_INFO,
             "journal: %zu streams go on; %" PRIu64 " frames stepped again in %" PRIu64 " ms",
             engine_streams(journal->engine)->n, engine_restored(journal->engine),
             start_now_ms() - began_ms);
    return 0;
}

int journal_recover(struct journal *journal, uint64_t *ret_position, uint64_t *ret_epoch)
{
    struct celltap_journal_list list;
    struct celltap_journal_error error;
    struct celltap_journal_check check = {0};
    start_tidy(journal);
    if (celltap_journal_list(journal->files, journal->directory, &list, &error) != 0) {
        log_line(LOG_LEVEL_ERR, "journal: %s", error.text);
        return -1;
    }
    celltap_snapshot *snapshot = start_find_snapshot(journal, &list);
    celltap_journal_list_done(&list);
    uint64_t saved = snapshot != NULL ? celltap_snapshot_position(snapshot) : 0;
    int code = start_check(journal, saved, &check);
    struct journal_kept kept;
    journal_kept_init(&kept, journal);
    if (code == 0)
        code = start_restore(journal, snapshot, &check, &kept.detectors);
    journal_kept_done(&kept);
    journal->saved = saved;
    *ret_position = check.end > saved ? check.end : saved;
    *ret_epoch = check.epoch;
    if (snapshot != NULL && celltap_snapshot_epoch(snapshot) > check.epoch)
        *ret_epoch = celltap_snapshot_epoch(snapshot); /* of a reload just before a kill */
    *ret_epoch += engine_left_out(journal->engine);
    if (snapshot != NULL)
        journal->saved_bytes = celltap_snapshot_bytes(snapshot);
    celltap_snapshot_close(snapshot);
    return code;
}

int journal_open(const struct conf *conf, struct engine *engine, struct journal **ret_journal)
{
    struct celltap_journal_writer_options options = {
        .files = celltap_files_posix(),
        .segment_bytes = conf->journal.segment_bytes,
        .keep = conf->journal.sync != CONF_SYNC_OFF,
    };
    *ret_journal = NULL;
    if (conf->journal.off)
        return 0;
    struct journal *journal = calloc(1, sizeof(*journal));
    if (journal == NULL || asprintf(&journal->directory, "%s/journal", conf->state_dir) < 0) {
        log_line(LOG_LEVEL_ERR, "out of memory");
        free(journal);
        return -1;
    }
    journal->lock_fd = -1;
    journal->files = options.files;
    journal->conf = conf->journal;
    journal->engine = engine;
    options.directory = journal->directory;
    if (start_make_dir(journal, conf->state_dir) == 0 &&
        start_make_dir(journal, journal->directory) == 0 && start_lock(journal) == 0 &&
        start_keep_models(journal) == 0 &&
        journal_recover(journal, &options.position, &options.epoch) == 0 &&
        celltap_journal_writer_new(&options, &journal->writer) == 0) {
        *ret_journal = journal;
        return 0;
    }
    journal_close(journal);
    return -1;
}
