/* journal_priv.h - what the journal's files share: its inside.
 *
 *     journal.c            commit, sync, replies, faults
 *     journal_save.c       snapshots and what is let go
 *     journal_start.c      opening, recovery
 *     journal_kept.c       the detectors that it names
 */
#ifndef DAEMON_JOURNAL_PRIV_H
#define DAEMON_JOURNAL_PRIV_H

#include "daemon/journal.h"
#include "lib/celltap_journal.h"

enum journal_saving {
    JOURNAL_SAVE_NONE,
    JOURNAL_SAVE_COPY,  /* states are copied, a slice at a time */
    JOURNAL_SAVE_SYNC,  /* waits until the journal is as safe as the copy will be */
    JOURNAL_SAVE_STORE, /* is being given its name */
    JOURNAL_SAVE_DROP   /* given up; a slice of it is still being written */
};

struct journal_waiting {
    struct sock_reply *reply;
    sock_message *message;
    uint64_t position; /* what it waits for */
};

struct journal {
    const struct celltap_files *files;
    char *directory; /* owned */
    int lock_fd;     /* owned */
    struct conf_journal conf;
    struct engine *engine;          /* borrowed */
    celltap_journal_writer *writer; /* owned */

    uv_loop_t *uv;
    uv_timer_t timer;
    void (*resumed)(void *arg);
    void *arg;

    uv_work_t sync_work;
    struct celltap_journal_sync sync;
    int sync_code;
    bool syncing, sync_wanted;
    uint64_t n_syncs, n_faults;

    char fault[512]; /* "": none */
    bool unsafe;     /* a sync has failed, and none has succeeded since */

    struct journal_waiting *waiting; /* [n_room] owned, a ring */
    size_t first, n_waiting, n_room;

    enum journal_saving saving;
    celltap_snapshot_writer *snapshot; /* owned; NULL unless saving */
    celltap_snapshot_slice *filling;   /* owned, as the snapshot */
    celltap_snapshot_slice *full;      /* owned, as the snapshot: being written, or empty */
    size_t next_stream;                /* the next to be copied */
    uint64_t changed_at;    /* position of the last reload that changed streams' models */
    uint64_t save_position; /* where a recovery from the snapshot will begin */
    uint64_t copied;        /* position when the last stream was copied */
    uint64_t frames_then, began_ms;
    uint64_t saved; /* position of the newest whole snapshot */
    uint64_t saved_bytes, saved_frames;
    uint64_t n_snapshots;
    uv_work_t save_work;
    bool save_runs; /* one of libuv's threads has the snapshot and what is full */
    int save_code;
    struct celltap_journal_error save_error;
    uint64_t retain_bytes, retain_age_s;
    bool save_wanted, save_failed, finishing, finished, stopped;
};

void journal_sync_now(struct journal *journal); /* begins a sync if there is anything to sync */
void journal_saving_synced(struct journal *journal);
void journal_saving_free(struct journal *journal); /* what is being made; no thread may have it */

/* Reads the journal into the engine; *ret_position, *ret_epoch: where it goes on. */
int journal_recover(struct journal *journal, uint64_t *ret_position, uint64_t *ret_epoch);

/* Of a recovery: borrows the journal's directory. */
struct journal_kept {
    struct engine_detectors detectors;
    const struct celltap_files *files;
    const char *directory;
    struct journal_kept_detector {
        uint64_t hash;
        celltap_journal_detector *detector; /* ref; or NULL */
    } * list;                               /* [n] owned */
    size_t n;
};
void journal_kept_init(struct journal_kept *kept, const struct journal *journal);
void journal_kept_done(struct journal_kept *kept);

#endif
