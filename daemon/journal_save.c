/* journal_save.c - snapshots: states copied in slices, written beside the loop; old segments go.
 *
 *     NONE --due--> COPY --all streams--> SYNC --journal is as safe--> STORE --written--> NONE
 *
 * Each stream is copied between two turns, with the seq of its last frame, so that frames may go on
 * between the slices: a recovery begins where the copying did and leaves out what a stream has
 * already.  A stream with frames that wait for its warm-up is copied as it was before them, and the
 * recovery begins where the first of them is.  Before it is written the journal is synced as far as the states reach: a snapshot never
 * holds what the journal does not.  No memory, or a disk that does not take it: said once; it is
 * tried again with the next one that is due.  A reload gives up the one being made. */
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
    if (journal->fault[0] != '\0' || position == journal->saved)
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

static void save_give_up(struct journal *journal)
{
    celltap_snapshot_free(journal->snapshot);
    journal->snapshot = NULL;
    journal->saving = JOURNAL_SAVE_NONE;
}

static void save_fail(struct journal *journal, const char *text)
{
    if (!journal->save_failed)
        log_line(LOG_LEVEL_WARNING, "journal: no snapshot: %s; it is tried again", text);
    journal->save_failed = true;
    journal->finished = journal->finishing;
    save_give_up(journal);
}

/* ---- copying ------------------------------------------------------------------------------ */

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
    return celltap_snapshot_put(journal->snapshot, &entry, stream->state);
}

/* True: there is more. */
static bool save_slice(struct journal *journal)
{
    const struct streams *streams = engine_streams(journal->engine);
    size_t before = celltap_snapshot_bytes(journal->snapshot);
    while (journal->next_stream < streams->n) {
        if (celltap_snapshot_bytes(journal->snapshot) - before >= SAVE_SLICE_BYTES)
            return true;
        if (save_stream(journal, streams->list[journal->next_stream]) != 0) {
            save_fail(journal, "out of memory");
            return false;
        }
        journal->next_stream++;
    }
    journal->copied = celltap_journal_writer_state(journal->writer).written;
    journal->saving = JOURNAL_SAVE_SYNC;
    journal_saving_synced(journal);
    if (journal->saving == JOURNAL_SAVE_SYNC)
        journal_sync_now(journal);
    return false;
}

static void save_begin(struct journal *journal)
{
    struct celltap_journal_writer_state state = celltap_journal_writer_state(journal->writer);
    journal->save_wanted = false;
    journal->began_ms = uv_now(journal->uv);
    if (celltap_snapshot_new(save_position(journal), state.epoch, &journal->snapshot) != 0) {
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
    return journal->saving == JOURNAL_SAVE_COPY && save_slice(journal);
}

/* ---- storing ------------------------------------------------------------------------------ */

static void save_run(uv_work_t *work)
{
    struct journal *journal = work->data;
    struct celltap_journal_error *error = &journal->store_error;
    journal->store_code =
        celltap_snapshot_store(journal->snapshot, journal->files, journal->directory, error);
    if (journal->store_code == 0)
        journal->store_code = celltap_journal_retain(
            journal->files, journal->directory, celltap_snapshot_position(journal->snapshot),
            journal->retain_bytes, journal->retain_age_s, error);
}

static void save_after(uv_work_t *work, int status)
{
    struct journal *journal = work->data;
    if (journal->stopped)
        return;
    if (status != 0 || journal->store_code < 0) {
        save_fail(journal, status != 0 ? "the daemon is ending" : journal->store_error.text);
        return;
    }
    if (journal->save_failed)
        log_line(LOG_LEVEL_NOTICE, "journal: snapshots are stored again");
    journal->save_failed = false;
    journal->saved = celltap_snapshot_position(journal->snapshot);
    journal->saved_bytes = celltap_snapshot_bytes(journal->snapshot);
    journal->saved_frames = journal->frames_then;
    journal->n_snapshots++;
    save_give_up(journal);
    if (journal->finishing)
        journal_finish(journal);
}

void journal_saving_synced(struct journal *journal)
{
    struct celltap_journal_writer_state state = celltap_journal_writer_state(journal->writer);
    if (journal->saving != JOURNAL_SAVE_SYNC || (state.to_sync && state.synced < journal->copied))
        return;
    journal->saving = JOURNAL_SAVE_STORE;
    journal->retain_bytes = journal->conf.retain_bytes;
    journal->retain_age_s = journal->conf.retain_age_ms / 1000;
    journal->store_work.data = journal;
    if (uv_queue_work(journal->uv, &journal->store_work, save_run, save_after) != 0)
        save_fail(journal, "out of memory");
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
