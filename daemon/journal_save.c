/* journal_save.c - snapshots: states copied in slices, written beside the loop; old segments go.
 *
 *     NONE --due--> COPY --all streams--> SYNC --journal is as safe--> STORE --has its name--> NONE
 *                    |
 *                    |  the loop: streams --> filling <-- change places --> full --> file: a thread
 *                    +--given up--> DROP --thread is done--> NONE
 *
 * There are two slices, so memory does not depend on how many streams there are.  The loop never
 * waits: when both are full it goes on once one has been written.
 *
 * Each stream is copied between two turns, with the seq of its last frame, so that frames may go on
 * between the slices: a recovery begins where the copying did and leaves out what a stream has
 * already.  A stream with frames that wait for its warm-up is copied as it was before them, and the
 * recovery begins where the first of them is.  Before the file gets its name the journal is synced as
 * far as the states reach: a snapshot never holds what the journal does not.
 *
 * No memory, or a disk that does not take it: the file is taken away, which is said once; it is tried
 * again with the next one that is due.  A reload gives up the one being made. */
#include <stdio.h>

#include "daemon/journal_priv.h"
#include "daemon/log.h"

#define SAVE_SLICE_BYTES ((size_t)1 << 20)
#define SAVE_INTERVAL_MS 1000
#define SAVE_RETRY_MS    10000 /* after one that could not be stored */
#define SAVE_SHARE       4     /* at most one part in so many of what is written are snapshots */

static uint64_t save_frames(const struct journal *journal)
{
    return engine_counts(journal->engine)->n_accepted;
}

/* Where a recovery from a snapshot of now would begin. */
static uint64_t save_position(const struct journal *journal)
{
    uint64_t position = celltap_journal_writer_state(journal->writer).position;
    uint64_t late = engine_late_position(journal->engine);
    return late < position ? late : position;
}

static bool save_is_due(const struct journal *journal)
{
    uint64_t position = celltap_journal_writer_state(journal->writer).position;
    uint64_t n_bytes = position - journal->saved, n_frames = save_frames(journal);
    uint64_t pause_ms = journal->save_failed ? SAVE_RETRY_MS : SAVE_INTERVAL_MS;
    if (journal->fault[0] != '\0' || journal->finished || position == journal->saved)
        return false;
    /* Frames from before a reload, whose streams' models and seqs may be others by now. */
    if (save_position(journal) < journal->changed_at)
        return false;
    if (journal->save_wanted || journal->finishing)
        return true;
    if (uv_now(journal->uv) - journal->began_ms < pause_ms)
        return false;
    if (n_bytes >= journal->conf.retain_bytes / SAVE_SHARE)
        return true;
    return n_frames - journal->saved_frames >= journal->conf.snapshot_every &&
           n_bytes / SAVE_SHARE >= journal->saved_bytes;
}

void journal_saving_free(struct journal *journal)
{
    celltap_snapshot_writer_free(journal->snapshot);
    celltap_snapshot_slice_free(journal->filling);
    celltap_snapshot_slice_free(journal->full);
    journal->snapshot = NULL;
    journal->filling = journal->full = NULL;
    journal->saving = JOURNAL_SAVE_NONE;
}

static void save_give_up(struct journal *journal)
{
    if (journal->save_runs)
        journal->saving = JOURNAL_SAVE_DROP;
    else
        journal_saving_free(journal);
}

static void save_fail(struct journal *journal, const char *text)
{
    if (!journal->save_failed)
        log_line(LOG_LEVEL_WARNING, "journal: no snapshot: %s; it is tried again", text);
    journal->save_failed = true;
    journal->finished = journal->finishing;
    save_give_up(journal);
}

/* ---- beside the loop ---------------------------------------------------------------------- */

static void save_run_write(uv_work_t *work)
{
    struct journal *journal = work->data;
    journal->save_code =
        celltap_snapshot_write(journal->snapshot, journal->full, &journal->save_error);
}

static void save_run_store(uv_work_t *work)
{
    struct journal *journal = work->data;
    struct celltap_journal_error *error = &journal->save_error;
    int code = celltap_snapshot_write(journal->snapshot, journal->full, error);
    if (code == 0)
        code = celltap_snapshot_store(journal->snapshot, error);
    if (code == 0)
        code = celltap_journal_retain(journal->files, journal->directory, journal->save_position,
                                      journal->retain_bytes, journal->retain_age_s, error);
    journal->save_code = code;
}

static void save_done(struct journal *journal)
{
    if (journal->save_failed)
        log_line(LOG_LEVEL_NOTICE, "journal: snapshots are stored again");
    journal->save_failed = false;
    journal->saved = journal->save_position;
    journal->saved_bytes = celltap_snapshot_writer_bytes(journal->snapshot);
    journal->saved_frames = journal->frames_then;
    journal->n_snapshots++;
    journal_saving_free(journal);
}

static void save_after(uv_work_t *work, int status)
{
    struct journal *journal = work->data;
    journal->save_runs = false;
    if (journal->stopped)
        return;
    if (journal->saving == JOURNAL_SAVE_DROP)
        journal_saving_free(journal);
    else if (status != 0 || journal->save_code < 0)
        save_fail(journal, status != 0 ? "the daemon is ending" : journal->save_error.text);
    else if (journal->saving == JOURNAL_SAVE_STORE)
        save_done(journal);
    if (journal->finishing)
        journal_finish(journal);
    else
        while (journal_work(journal))
            ;
}

/* What is filled is full; true: a thread has it, and the next one is there to be filled. */
static bool save_hand_over(struct journal *journal, uv_work_cb run)
{
    celltap_snapshot_slice *full = journal->filling;
    if (journal->save_runs)
        return false;
    journal->filling = journal->full;
    journal->full = full;
    journal->save_work.data = journal;
    journal->save_runs = uv_queue_work(journal->uv, &journal->save_work, run, save_after) == 0;
    if (!journal->save_runs)
        save_fail(journal, "out of memory");
    return journal->save_runs;
}

/* ---- copying ------------------------------------------------------------------------------ */

/* 1; 0: the slice is full; -1: no memory. */
static int save_stream(struct journal *journal, const struct stream *stream)
{
    const struct serving *serving = stream->serving;
    const struct backlog *late = stream->backlog;
    struct celltap_snapshot_stream entry = {
        .name = stream->name,
        .name_bytes = stream->name_bytes,
        .model_hash = serving->file_hash,
        .detector_hash = celltap_journal_detector_hash(stream->watch),
        .seq = stream->seq,
        .ts_ns = stream->ts_ns,
        .n_frames = stream->n_frames,
        .n_duplicates = stream->n_duplicates,
        .n_gaps = stream->n_gaps,
        .reset_next = stream->reset_next,
        .born_next = stream->born_next,
        .rewarm_next = stream->rewarm_next,
        .n_held = stream->held != NULL ? serving->n_channels : 0,
        .held = (const unsigned char *)stream->held,
        .state_bytes = celltap_stream_save_bytes(stream->state),
    };
    if (late != NULL && late->n > 0) {
        entry.seq = late->seq;
        entry.ts_ns = late->ts_ns;
        entry.n_frames -= late->n;
        entry.n_gaps = late->n_gaps;
        entry.reset_next = entry.born_next = entry.rewarm_next = false; /* they say it themselves */
    }
    return celltap_snapshot_put(journal->filling, &entry, stream->state);
}

/* Fills a slice; true: there is more to copy, and room for it. */
static bool save_slice(struct journal *journal)
{
    const struct streams *streams = engine_streams(journal->engine);
    int code = 1;
    while (code == 1 && journal->next_stream < streams->n) {
        code = save_stream(journal, streams->list[journal->next_stream]);
        journal->next_stream += code == 1;
    }
    if (code == 0)
        return save_hand_over(journal, save_run_write);
    if (code < 0) {
        save_fail(journal, "out of memory");
        return false;
    }
    journal->copied = celltap_journal_writer_state(journal->writer).position;
    journal->saving = JOURNAL_SAVE_SYNC;
    journal_saving_synced(journal);
    return false;
}

static void save_begin(struct journal *journal)
{
    struct celltap_journal_writer_state state = celltap_journal_writer_state(journal->writer);
    journal->save_wanted = false;
    journal->began_ms = uv_now(journal->uv);
    journal->save_position = save_position(journal);
    if (celltap_snapshot_slice_new(SAVE_SLICE_BYTES, &journal->filling) != 0 ||
        celltap_snapshot_slice_new(SAVE_SLICE_BYTES, &journal->full) != 0 ||
        celltap_snapshot_writer_new(journal->files, journal->directory, journal->save_position,
                                    state.epoch, &journal->snapshot) != 0) {
        save_fail(journal, "out of memory");
        return;
    }
    journal->frames_then = save_frames(journal);
    journal->next_stream = 0;
    journal->saving = JOURNAL_SAVE_COPY;
}

bool journal_work(struct journal *journal)
{
    if (journal == NULL || journal->stopped)
        return false;
    if (journal->saving == JOURNAL_SAVE_NONE && save_is_due(journal))
        save_begin(journal);
    journal_saving_synced(journal);
    return journal->saving == JOURNAL_SAVE_COPY && save_slice(journal);
}

/* All is copied, and the slices before the last are written: as soon as the journal is as safe as the
 * states are new, the rest of the file and its name. */
void journal_saving_synced(struct journal *journal)
{
    struct celltap_journal_writer_state state = celltap_journal_writer_state(journal->writer);
    if (journal->saving != JOURNAL_SAVE_SYNC || journal->save_runs)
        return;
    if (state.to_sync && state.synced < journal->copied) {
        /* With a fault the disk is tried again from elsewhere. */
        if (journal->fault[0] == '\0' && !journal->syncing)
            journal_sync_now(journal);
        return;
    }
    journal->retain_bytes = journal->conf.retain_bytes;
    journal->retain_age_s = journal->conf.retain_age_ms / 1000;
    if (save_hand_over(journal, save_run_store))
        journal->saving = JOURNAL_SAVE_STORE;
}

/* ---- on request --------------------------------------------------------------------------- */

void journal_save(struct journal *journal)
{
    journal->save_wanted = true;
    journal_work(journal);
}

void journal_change(struct journal *journal)
{
    if (journal == NULL)
        return;
    celltap_journal_next_epoch(journal->writer);
    journal->changed_at = celltap_journal_writer_state(journal->writer).position;
    journal->save_wanted = true; /* streams that have gone are in no snapshot then */
    if (journal->saving == JOURNAL_SAVE_COPY)
        save_give_up(journal);
}

void journal_finish(struct journal *journal)
{
    if (journal == NULL)
        return;
    journal->finishing = true;
    if (journal->fault[0] != '\0')
        journal->finished = true; /* it has been said why */
    while (journal_work(journal))
        ;
    if (journal->saving == JOURNAL_SAVE_NONE)
        journal->finished = true; /* nothing to save */
}

bool journal_is_done(const struct journal *journal)
{
    return journal == NULL || journal->finished || journal->fault[0] != '\0';
}

int journal_keep(struct journal *journal, const struct serving *serving, char *reterr,
                 size_t reterr_bytes)
{
    struct celltap_journal_error error;
    if (journal == NULL)
        return 0;
    int code = celltap_journal_keep_model(journal->files, journal->directory, serving->file_hash,
                                          serving->file, serving->file_bytes, &error);
    if (code == 0 && serving->watch != NULL)
        code = celltap_journal_keep_detector(journal->files, journal->directory, serving->watch,
                                             &error);
    if (code == 0)
        return 0;
    snprintf(reterr, reterr_bytes, "journal: %s; the model cannot be kept with it", error.text);
    return -1;
}
