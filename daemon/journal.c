/* journal.c - a turn's frames on disk before they are acknowledged.
 *
 *     engine --accepted--> record in memory --journal_commit--> written --sync--> safe
 *                                              |                           |
 *     replies:             `interval`, `off` --+              `always` ----+
 *
 * Happy path: the engine puts every frame that it accepts into the turn's record; the turn commits it
 * with one write; replies are sent at once, or wait in order until a sync on libuv's threads has
 * covered them.  Syncs run one at a time and cover all that was written when they began.
 *
 * Disk full, failing, read-only: the fault is logged once, shown by status and STATUS=; no frames
 * are taken any more, so that replies stop and producers wait; what the turn has accepted stays in
 * memory and is stepped and published.  Every tick tries again; when the disk takes it the fault is
 * over, replies that waited are sent, and the loop goes on.  After a failed sync all that was not
 * safe is written again from memory, and the fault lasts until a sync has succeeded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/journal_priv.h"
#include "daemon/log.h"
#include "daemon/sd.h"

#define JOURNAL_HELD_SYNC ((size_t)8 << 20)  /* bytes in memory that do not wait for the interval */
#define JOURNAL_HELD_MAX  ((size_t)64 << 20) /* bytes in memory before frames must wait for a sync */

/* ---- what the engine tells ---------------------------------------------------------------- */

static struct celltap_journal_stream journal_stream(struct stream *stream)
{
    return (struct celltap_journal_stream){
        .name = stream->name,
        .name_bytes = stream->name_bytes,
        .model_hash = stream->serving->file_hash,
        .detector_hash = celltap_journal_detector_hash(stream->watch),
        .n_values = stream->serving->n_channels,
        .place = &stream->place,
    };
}

static int journal_on_reserve(void *arg, struct stream *stream)
{
    struct journal *journal = arg;
    struct celltap_journal_stream known = journal_stream(stream);
    return celltap_journal_reserve(journal->writer, &known);
}

static void journal_on_accepted(void *arg, struct stream *stream,
                                const struct celltap_journal_frame *frame)
{
    struct journal *journal = arg;
    struct celltap_journal_stream known = journal_stream(stream);
    if (stream->backlog != NULL && stream->backlog->n == 1)
        stream->backlog->position = celltap_journal_writer_state(journal->writer).position;
    celltap_journal_put(journal->writer, &known, frame);
}

void journal_put_reset(struct journal *journal, struct stream *stream, bool rewarm)
{
    if (journal == NULL)
        return;
    struct celltap_journal_stream known = journal_stream(stream);
    if (celltap_journal_reserve(journal->writer, &known) != 0) {
        log_line(LOG_LEVEL_WARNING, "journal: out of memory; the reset of %s is not kept",
                 stream->name);
        return;
    }
    celltap_journal_put_reset(journal->writer, &known, stream->seq, rewarm);
    journal_commit(journal);
}

/* ---- faults ------------------------------------------------------------------------------- */

static void journal_fail(struct journal *journal, const char *text)
{
    bool new_fault = journal->fault[0] == '\0';
    snprintf(journal->fault, sizeof(journal->fault), "%s", text);
    if (!new_fault)
        return;
    journal->n_faults++;
    log_line(LOG_LEVEL_ERR, "journal: %s; no frames are taken until the disk does it", text);
    sd_status("journal: %s; no frames are taken", text);
}

/* A sync that was under way when a write failed says nothing about that write. */
static void journal_recovered(struct journal *journal)
{
    struct celltap_journal_writer_state state = celltap_journal_writer_state(journal->writer);
    if (journal->fault[0] == '\0' || journal->unsafe || state.written < state.position)
        return;
    journal->fault[0] = '\0';
    log_line(LOG_LEVEL_NOTICE, "journal: the disk takes it again; going on");
    sd_status("journal: going on");
    if (journal->resumed != NULL)
        journal->resumed(journal->arg);
}

bool journal_is_blocked(const struct journal *journal)
{
    if (journal == NULL)
        return false;
    return journal->fault[0] != '\0' ||
           celltap_journal_writer_state(journal->writer).n_held_bytes > JOURNAL_HELD_MAX;
}

/* ---- replies ------------------------------------------------------------------------------ */

/* So far everything is as safe as a reply promises. */
static uint64_t journal_promised(const struct journal *journal)
{
    struct celltap_journal_writer_state state = celltap_journal_writer_state(journal->writer);
    if (journal->unsafe)
        return state.synced;
    if (journal->conf.sync == CONF_SYNC_ALWAYS)
        return state.to_sync ? state.synced : state.position;
    return state.written;
}

static void journal_answer(struct journal *journal)
{
    uint64_t promised = journal_promised(journal);
    while (journal->n_waiting > 0 && journal->waiting[journal->first].position <= promised) {
        struct journal_waiting *waiting = &journal->waiting[journal->first];
        sock_reply(waiting->reply, waiting->message);
        journal->first = (journal->first + 1) % journal->n_room;
        journal->n_waiting--;
    }
}

static int journal_wait(struct journal *journal, const struct journal_waiting *waiting)
{
    if (journal->n_waiting == journal->n_room) {
        size_t n_room = journal->n_room != 0 ? 2 * journal->n_room : 64;
        struct journal_waiting *ring = malloc(n_room * sizeof(*ring));
        if (ring == NULL)
            return -1;
        for (size_t i = 0; i < journal->n_waiting; i++)
            ring[i] = journal->waiting[(journal->first + i) % journal->n_room];
        free(journal->waiting);
        journal->waiting = ring;
        journal->first = 0;
        journal->n_room = n_room;
    }
    journal->waiting[(journal->first + journal->n_waiting++) % journal->n_room] = *waiting;
    return 0;
}

void journal_reply(struct journal *journal, struct sock_reply *reply, sock_message *message)
{
    if (journal == NULL) {
        sock_reply(reply, message);
        return;
    }
    struct journal_waiting waiting = {reply, message,
                                      celltap_journal_writer_state(journal->writer).position};
    if (journal->n_waiting == 0 && waiting.position <= journal_promised(journal)) {
        sock_reply(reply, message);
    } else if (journal_wait(journal, &waiting) != 0) {
        sock_message_free(message);
        sock_give_up(reply);
    }
}

static void journal_give_up_some(struct journal *journal, const struct sock *sock)
{
    for (size_t i = journal->n_waiting; i > 0; i--) {
        struct journal_waiting waiting = journal->waiting[journal->first];
        journal->first = (journal->first + 1) % journal->n_room;
        journal->n_waiting--;
        if (sock != NULL && !sock_reply_is_of(waiting.reply, sock)) {
            journal_wait(journal, &waiting); /* there is room: one has just been taken */
            continue;
        }
        sock_message_free(waiting.message);
        sock_give_up(waiting.reply);
    }
}

void journal_give_up(struct journal *journal, const struct sock *sock)
{
    if (journal != NULL)
        journal_give_up_some(journal, sock);
}

/* ---- writing ------------------------------------------------------------------------------ */

static void journal_write(struct journal *journal)
{
    struct celltap_journal_error error;
    if (celltap_journal_write(journal->writer, &error) != 0) {
        journal_fail(journal, error.text);
        return;
    }
    size_t n_held_bytes = celltap_journal_writer_state(journal->writer).n_held_bytes;
    if (journal->unsafe || journal->conf.sync == CONF_SYNC_ALWAYS ||
        (n_held_bytes > JOURNAL_HELD_SYNC && !journal->syncing))
        journal_sync_now(journal);
    journal_recovered(journal);
    journal_answer(journal);
}

void journal_commit(struct journal *journal)
{
    if (journal != NULL && celltap_journal_commit(journal->writer) && journal->fault[0] == '\0')
        journal_write(journal);
}

/* ---- syncing ------------------------------------------------------------------------------ */

static void journal_run_sync(uv_work_t *work)
{
    struct journal *journal = work->data;
    journal->sync_code = celltap_journal_sync_run(&journal->sync);
}

static void journal_after_sync(uv_work_t *work, int status)
{
    struct journal *journal = work->data;
    journal->syncing = false;
    if (status != 0 || journal->stopped)
        return;
    journal->n_syncs++;
    celltap_journal_sync_end(journal->writer, &journal->sync, journal->sync_code);
    if (journal->sync_code != 0) {
        journal->unsafe = true;
        journal_fail(journal, journal->sync.error.text);
        return;
    }
    bool was_unsafe = journal->unsafe;
    journal->unsafe = false;
    if (was_unsafe)
        journal_write(journal);
    journal_recovered(journal);
    journal_answer(journal);
    journal_saving_synced(journal);
    if (journal->sync_wanted || journal->conf.sync == CONF_SYNC_ALWAYS)
        journal_sync_now(journal);
    if (journal->resumed != NULL)
        journal->resumed(journal->arg); /* what waited for memory may go on */
}

void journal_sync_now(struct journal *journal)
{
    if (journal->syncing) {
        journal->sync_wanted = true;
        return;
    }
    journal->sync_wanted = false;
    if (!celltap_journal_writer_state(journal->writer).to_sync)
        return;
    celltap_journal_sync_start(journal->writer, &journal->sync);
    journal->sync_work.data = journal;
    if (uv_queue_work(journal->uv, &journal->sync_work, journal_run_sync, journal_after_sync) == 0)
        journal->syncing = true;
}

static void journal_on_timer(uv_timer_t *timer)
{
    struct journal *journal = timer->data;
    struct celltap_journal_error error;
    if (journal->fault[0] != '\0')
        return;
    if (celltap_journal_writer_state(journal->writer).to_sync) {
        journal_sync_now(journal);
    } else {
        celltap_journal_put_synced(journal->writer);
        celltap_journal_write(journal->writer, &error); /* if it fails the next one says so */
    }
}

void journal_tick(struct journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->fault[0] != '\0' && !journal->syncing)
        journal_write(journal);
    if (journal->fault[0] == '\0')
        journal_work(journal);
}

/* ---- life --------------------------------------------------------------------------------- */

int journal_start(struct journal *journal, uv_loop_t *uv, void (*resumed)(void *arg), void *arg)
{
    if (journal == NULL)
        return 0;
    struct engine_log log = {journal, journal_on_reserve, journal_on_accepted};
    journal->uv = uv;
    journal->resumed = resumed;
    journal->arg = arg;
    engine_set_log(journal->engine, &log);
    uv_timer_init(uv, &journal->timer);
    journal->timer.data = journal;
    if (journal->conf.sync == CONF_SYNC_OFF)
        return 0;
    uint64_t ms = journal->conf.sync_interval_ms;
    return uv_timer_start(&journal->timer, journal_on_timer, ms, ms);
}

void journal_tune(struct journal *journal, const struct conf *conf)
{
    if (journal == NULL)
        return;
    journal->conf = conf->journal;
    uint64_t ms = journal->conf.sync_interval_ms;
    if (journal->conf.sync != CONF_SYNC_OFF)
        uv_timer_start(&journal->timer, journal_on_timer, ms, ms);
}

void journal_stop(struct journal *journal)
{
    if (journal == NULL)
        return;
    journal->stopped = true;
    journal_give_up_some(journal, NULL);
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    journal_saving_free(journal);
    celltap_journal_writer_free(journal->writer);
    free(journal->waiting);
    free(journal->directory);
    if (journal->lock_fd >= 0)
        close(journal->lock_fd);
    free(journal);
}

struct journal_look journal_look(const struct journal *journal)
{
    static const char *const syncs[] = {"always", "interval", "off"};
    struct celltap_journal_writer_state state = celltap_journal_writer_state(journal->writer);
    return (struct journal_look){
        .directory = journal->directory,
        .sync = syncs[journal->conf.sync],
        .fault = journal->fault,
        .position = state.position,
        .synced = state.synced,
        .epoch = state.epoch,
        .snapshot = journal->saved,
        .n_snapshots = journal->n_snapshots,
        .n_syncs = journal->n_syncs,
        .n_faults = journal->n_faults,
        .n_waiting = journal->n_waiting,
    };
}

const char *journal_directory(const struct journal *journal)
{
    return journal->directory;
}
